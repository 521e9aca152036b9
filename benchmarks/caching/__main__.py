"""What caching strategies pay for the same traffic, against the floor, and whether scrimp keeps its word."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import orjson

from benchmarks.caching.peers import PEERS, Advice, consult
from benchmarks.caching.plot import as_svg
from benchmarks.caching.report import as_json, print_report
from benchmarks.caching.suite import SCENARIOS, STRATEGIES, USUAL, Row, run_scenario
from benchmarks.caching.verdict import judge
from scrimp.errors import InputError

_QUICK_RUNS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and return the exit code: 1 when a criterion fails."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{name:18} {scenario.about}" for name, scenario in SCENARIOS.items()))
        return 0
    names = options.scenario or list(SCENARIOS)
    runs = _QUICK_RUNS if options.quick else options.runs
    gc.freeze()
    rows = list(_played(names, options.strategies, seed=options.seed, runs=runs, jobs=options.jobs))
    verdicts = judge(rows)
    print_report(rows, verdicts)
    if options.json:
        options.json.write_bytes(
            orjson.dumps(as_json(rows, verdicts, seed=options.seed), option=orjson.OPT_INDENT_2)
        )
    if options.plot:
        options.plot.write_text(as_svg(rows), encoding="utf-8")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _played(
    names: Sequence[str], strategies: Sequence[str], *, seed: int, runs: int, jobs: int
) -> Iterator[Row]:
    advice = _advice(names, strategies, seed=seed, runs=runs)
    play = partial(_try, strategies=tuple(strategies), seed=seed, runs=runs, advice=advice)
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as pool:
        found = map(play, names) if pool is None else pool.map(play, names)
        for name, row in zip(names, found, strict=True):
            if isinstance(row, str):
                print(f"left out: {name}: {row}")
                continue
            if sys.stderr.isatty():
                print(f"{name}: {row.seconds:.0f} s", file=sys.stderr)
            yield row


def _advice(names: Sequence[str], strategies: Sequence[str], *, seed: int, runs: int) -> dict[str, Advice]:
    """What the peers do with every call that will be judged."""
    peers = [name for name in strategies if name in PEERS]
    calls = []
    for name in names if peers else ():
        with suppress(InputError):
            calls += SCENARIOS[name].populations(seed=seed, runs=runs)[1]
    return consult(peers, calls)


def _try(
    name: str, *, strategies: tuple[str, ...], seed: int, runs: int, advice: dict[str, Advice]
) -> Row | str:
    try:
        return run_scenario(SCENARIOS[name], strategies, seed=seed, runs=runs, advice=advice)
    except InputError as error:
        return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.caching", description=__doc__)
    parser.add_argument("--list", action="store_true", help="list the scenarios and stop")
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, metavar="NAME", help="these only")
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=USUAL, metavar="NAME")
    parser.add_argument("--runs", type=int, default=50, help="runs of each population (50)")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_RUNS} runs: a look, not a judgement")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything made up (1)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the table as an SVG picture")
    return parser


if __name__ == "__main__":
    sys.exit(main())
