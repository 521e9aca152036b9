"""Mixed load on the gateway for minutes, with all going wrong upstream: memory, books, and hung clients.

    python -m benchmarks.soak [--minutes 10] [--workers 1] [--json]

First what a gateway remembers is filled: distinct conversations, agents and sessions at full speed, until
every table of bounded size lets go of its oldest. Then comes the soak: several virtual keys, limits on
everybody, streams and messages, ever new conversations, clients that leave in the middle, the official SDK
(async) among them; an emulator that refuses, overloads, cuts and dawdles. For some minutes that fills
what only such load fills; from then on memory has to be flat. At the end every call of the emulator's bill
is in the ledger, once and to the picodollar; what broke off is an estimate and marked as one; nothing is
held; no client waited longer than it had said it would.
"""
