"""Measures the gateway beside its peers and prints the figures: `make bench-gateway`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.gateway.books import audited, counted
from benchmarks.gateway.contenders import (
    DIRECT,
    LITELLM,
    PORTKEY,
    SCRIMP,
    WORKERS,
    Running,
    cores,
    cpu_of,
    proxies,
    running,
    serving,
    spread,
)
from benchmarks.gateway.rounds import Place, measure
from benchmarks.gateway.tables import Report, as_json, print_report
from scrimp.cli.output import print_json

_NAMES = {"scrimp": SCRIMP, "litellm": LITELLM, "portkey": PORTKEY}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 0.6
    with tempfile.TemporaryDirectory(prefix="scrimp-bench-") as name:
        report = _measured(options, Path(name))
    if options.json:
        print_json(as_json(report))
    else:
        print_report(report)
    return 0


def _measured(options: argparse.Namespace, folder: Path) -> Report:
    wanted = [_NAMES[name] for name in options.only]
    wanted += [spread(name) for name in wanted if WORKERS > 1 and not options.alone]
    seed = str(options.seed)
    proxy_core, load_core = cores()
    if proxy_core == load_core:
        print("no two cores to pin to: proxies, upstream and load disturb each other", file=sys.stderr)
    with ExitStack() as stack:
        upstreams: dict[str, int] = {}
        beside: dict[str, list[int]] = {}
        for name in (DIRECT, *_NAMES.values(), *map(spread, _NAMES.values())):
            helper = serving("benchmarks.gateway.upstream", seed, core=load_core)
            process = stack.enter_context(helper)
            upstreams[name], beside[name] = _port(process.stdout), [process.pid]
        load = stack.enter_context(serving("benchmarks.gateway.load", seed, core=load_core))
        with ExitStack() as proxied:
            up: dict[str, Running] = {}
            for proxy in proxies(folder, upstreams, options.port):
                if proxy.name in wanted:
                    up[proxy.name] = proxied.enter_context(running(proxy, core=proxy_core))
                    print(f"{proxy.name} serves", file=sys.stderr)
            for name in set(wanted) - set(up):
                print(f"{name} is not installed: `make bench-gateway` does it", file=sys.stderr)
            idle = {name: one.memory() for name, one in up.items()}
            others = {name: partial(cpu_of, [load.pid, *pids]) for name, pids in beside.items()}
            places = {DIRECT: Place(upstreams[DIRECT], {"x-api-key": "any"}, lambda: 0.0, others[DIRECT])}
            places |= {
                name: Place(
                    one.proxy.port, one.proxy.headers, one.cpu, others[name], workers=one.proxy.workers
                )
                for name, one in up.items()
            }
            table = measure(places, load, rounds=options.rounds, seconds=options.seconds)
            memory = {name: (idle[name], one.memory()) for name, one in up.items()}
            ours = [name for name in (SCRIMP, spread(SCRIMP)) if name in up]
            sums = {name: counted(upstreams[name]) for name in ours}
        folders = {name: up[name].proxy.folder / "home" / "ledger.sqlite" for name in ours}
        books = {name: audited(folders[name], sums[name]) for name in ours}
        return Report(table, {name: one.start_seconds for name, one in up.items()}, memory, books)


def _port(stdout: object) -> int:
    return int(stdout.readline())  # type: ignore[attr-defined]  # a pipe


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="one short round: a glance, no measurement")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of every kind of load (3)")
    parser.add_argument("--seconds", type=float, default=1.5, help="seconds of each, in each round (1.5)")
    parser.add_argument(
        "--only", nargs="+", choices=_NAMES, default=list(_NAMES), help="these contenders (all)"
    )
    parser.add_argument("--alone", action="store_true", help="one process each, and nobody with more")
    parser.add_argument("--port", type=int, default=18_378, help="first of six free ports (18378)")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything made up (1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
