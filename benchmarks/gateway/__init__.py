"""The gateway beside LiteLLM's proxy and Portkey's gateway: `make bench-gateway`.

    python -m benchmarks.gateway [--quick] [--json]

The map:

    bodies.py      the requests: small and long conversations of agents, one repeated or all different
    upstream.py    a provider that costs next to nothing and stamps its events, in a process of its own
    load.py        closed-loop load over kept connections, in a process of its own
    contenders.py  the proxies: how each is set up, started, and asked
    rounds.py      interleaved rounds of every cell, and the medians
    books.py       what the ledger and the budgets of scrimp hold after the run, against the upstream's count
    verdict.py     the ratios that are promised, and whether they hold
    tables.py      figures for people and for programs

Upstream and load share one core. Two comparisons: every proxy as one process with another core to itself; and
every proxy with the whole machine, as many workers as there are cores where it knows workers (scrimp and
LiteLLM do; Portkey has no such mode, and stays one process of Node). In the second the load takes part of
what the proxies could use: on a small machine, CPU time of a request says more than requests/s.
"""
