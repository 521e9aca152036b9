"""Runs every benchmark and prints its figures beside the named baseline: `make bench`."""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.budgets import measure_budget_storm, measure_budgets
from benchmarks.call_path import measure_call_path
from benchmarks.ccusage import measure_ccusage
from benchmarks.fanout import measure_fanout
from benchmarks.growth import measure_growth
from benchmarks.ledger import measure_ledger_rows, measure_ledger_wait
from benchmarks.metering import measure_metering_body, measure_metering_stream
from benchmarks.middleware import measure_calls, measure_events
from benchmarks.planning import measure_planning
from benchmarks.pricing import measure_pricing
from benchmarks.reading import measure_reading
from benchmarks.report import as_json, print_tables
from benchmarks.serving import measure_serving
from benchmarks.timing import Section
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.output import print_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    known = sections(options, Path())
    for name in options.only:
        if name not in known:
            print(f"benchmarks: no section {name!r}; there are {', '.join(known)}", file=sys.stderr)
            return ExitCode.USAGE
    measured = _measured(options)
    if options.json:
        print_json(as_json(measured))
    else:
        print_tables(measured)
    return 0


def _measured(options: argparse.Namespace) -> list[Section]:
    gc.freeze()  # as services do: what was imported is not walked through again at every collection
    with tempfile.TemporaryDirectory(prefix="scrimp-bench-") as name:
        table = sections(options, Path(name))
        return [table[section]() for section in options.only or table]


def sections(options: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Section]]:
    """Every section by name, in the order they are measured in."""
    rounds, seed, size = options.rounds, options.seed, round(options.size * 1e6)
    few = min(rounds, 5)

    def call_path(size: int, *, grows: bool) -> Callable[[], Section]:
        return lambda: measure_call_path(size=size, rounds=8 * rounds, seed=seed, grows=grows)

    return {
        "planning": lambda: measure_planning(size=200_000, rounds=rounds, seed=seed),
        "call_path_2k_repeated": call_path(2_000, grows=False),
        "call_path_2k_growing": call_path(2_000, grows=True),
        "call_path_200k_repeated": call_path(200_000, grows=False),
        "call_path_200k_growing": call_path(200_000, grows=True),
        "metering_body": lambda: measure_metering_body(rounds=rounds, seed=seed),
        "metering_stream": lambda: measure_metering_stream(events=100, rounds=rounds, seed=seed),
        "pricing": lambda: measure_pricing(calls=200, rounds=rounds, seed=seed),
        "reading": lambda: measure_reading(folder, size=size, rounds=min(rounds, 3), seed=seed),
        "ccusage": lambda: measure_ccusage(
            folder, size=size, rounds=few, seed=seed, given=options.transcripts
        ),
        "growth": lambda: measure_growth(most_blocks=options.blocks, seed=seed),
        "calls_20k": lambda: measure_calls(folder, size=20_000, rounds=rounds, seed=seed),
        "calls_200k": lambda: measure_calls(folder, size=200_000, rounds=rounds, seed=seed),
        "events": lambda: measure_events(folder, answer=20_000, rounds=min(rounds, 10), seed=seed),
        "fanout": lambda: measure_fanout(
            requests=32, first_event=min(1.0, rounds / 10), rounds=min(rounds, 3), seed=seed
        ),
        "serving": lambda: measure_serving(requests=400, rounds=few, seed=seed),
        "ledger_rows": lambda: measure_ledger_rows(folder, submitters=64, each=20, rounds=few),
        "ledger_wait": lambda: measure_ledger_wait(folder, rows=300),
        "budgets": lambda: measure_budgets(folder, callers=64, each=40, rounds=few),
        "budget_storm": lambda: measure_budget_storm(
            folder, cycles=400 * rounds, processes=4, callers=16, kills=rounds
        ),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="SECTION", help="these sections (all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--size", type=float, default=100, help="megabytes of transcripts (100)")
    parser.add_argument(
        "--transcripts", type=Path, metavar="FOLDER", help="sessions to measure `ccusage` on (made up ones)"
    )
    parser.add_argument("--blocks", type=int, default=2_000, help="blocks the conversation grows to (2,000)")
    parser.add_argument("--rounds", type=int, default=25, help="rounds of each benchmark (25)")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything made up (1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
