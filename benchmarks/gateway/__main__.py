"""Measures the gateway beside its peers and prints the figures: `make bench-gateway`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path

from benchmarks.gateway.books import audited, counted
from benchmarks.gateway.contenders import (
    DIRECT,
    LITELLM,
    PORTKEY,
    SCRIMP,
    WORKERS,
    Cores,
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
    """Measure, print, and return the exit code: 1 where books are not exact, whatever the speed."""
    options = _parser().parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 0.6
    with tempfile.TemporaryDirectory(prefix="scrimp-bench-") as name:
        report = _measured(options, Path(name))
    if options.json:
        print_json(as_json(report))
    else:
        print_report(report)
    return 1 if any(books.faults for books in report.books.values()) else 0


def _measured(options: argparse.Namespace, folder: Path) -> Report:
    """Every contender as one process, then, apart from those, with several."""
    where = cores()
    if where.one == where.load:
        print("no two cores to pin to: proxies, upstream and load disturb each other", file=sys.stderr)
    wanted = [_NAMES[name] for name in options.only]
    report = _compared([DIRECT, *wanted], options, folder, where)
    if WORKERS > 1 and not options.alone:
        report = report.joined(_compared(list(map(spread, wanted)), options, folder, where))
    return report


def _compared(names: Sequence[str], options: argparse.Namespace, folder: Path, where: Cores) -> Report:
    seed = str(options.seed)
    with ExitStack() as stack:
        upstreams: dict[str, int] = {}
        beside: dict[str, list[int]] = {}
        for name in names:
            helper = serving("benchmarks.gateway.upstream", seed, core=where.load)
            process = stack.enter_context(helper)
            upstreams[name], beside[name] = _port(process.stdout), [process.pid]
        load = stack.enter_context(serving("benchmarks.gateway.load", seed, core=where.load))
        with ExitStack() as proxied:
            up: dict[str, Running] = {}
            for proxy in proxies(folder, upstreams, options.port):
                up[proxy.name] = proxied.enter_context(running(proxy, where))
                print(f"{proxy.name} serves", file=sys.stderr)
            for name in set(names) - {DIRECT, *up}:
                print(f"{name} is not installed: `make bench-gateway` does it", file=sys.stderr)
            idle = {name: one.memory() for name, one in up.items()}
            others = {name: partial(cpu_of, [load.pid, *pids]) for name, pids in beside.items()}
            places = {name: _place(one, others[name]) for name, one in up.items()}
            if DIRECT in names:
                direct = Place(upstreams[DIRECT], {"x-api-key": "any"}, lambda: 0.0, others[DIRECT])
                places = {DIRECT: direct, **places}
            table = measure(places, load, rounds=options.rounds, seconds=options.seconds)
            memory = {name: (idle[name], one.memory()) for name, one in up.items()}
            ours = [name for name in (SCRIMP, spread(SCRIMP)) if name in up]
            sums = {name: counted(upstreams[name]) for name in ours}
        folders = {name: up[name].proxy.folder / "home" / "ledger.sqlite" for name in ours}
        books = {name: audited(folders[name], sums[name]) for name in ours}
        return Report(table, {name: one.start_seconds for name, one in up.items()}, memory, books)


def _place(one: Running, beside: Callable[[], float]) -> Place:
    """Only a lone process can stand still: one who looks after others would take them for dead."""
    proxy = one.proxy
    paused = one.paused if proxy.workers == 1 else nullcontext
    return Place(proxy.port, proxy.headers, one.cpu, beside, proxy.workers, paused)


def _port(stdout: object) -> int:
    return int(stdout.readline())  # type: ignore[attr-defined]  # a pipe


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="one short round: a glance, no measurement")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every kind of load (5)")
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
