"""The gateway beside LiteLLM's proxy and Portkey's gateway: `make bench-gateway`.

    python -m benchmarks.gateway [--quick] [--json]

The map:

    bodies.py      the requests: small and long conversations of agents, one repeated or all different
    upstream.py    a provider that costs next to nothing and stamps its events, in a process of its own
    load.py        closed-loop load over kept connections, in a process of its own
    contenders.py  the proxies: how each is set up, started, and asked
    stolen.py      windows in which a host takes the processors away are measured again
    rounds.py      interleaved rounds of every cell, and the medians
    books.py       what the ledger and the budgets of scrimp hold after the run, against the upstream's count
    verdict.py     the ratios that are promised, and whether they hold
    tables.py      figures for people and for programs

Upstream and load share one core. Two comparisons, one after the other: every proxy as one process with
another core to itself, where those that are not measured stand still, since what a proxy does while nobody
asks it would make another one's streams late; then every proxy with several processes, as many workers as
there are cores besides the load's where it knows workers (scrimp and LiteLLM do; Portkey has no such mode,
and stays one process of Node).

On two cores the second comparison has two workers all the same, and load and upstream take part of what they
could use. A fast proxy loses most by that, so it is shown there and held against no bound; CPU time of a
request says more.
"""
