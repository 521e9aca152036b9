"""Runs every benchmark and prints its figures beside the named baseline: `make bench`."""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.budgets import measure_budget_storm, measure_budgets
from benchmarks.call_path import measure_call_path
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
from scrimp.cli.output import print_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    sections = _measured(options)
    if options.json:
        print_json(as_json(sections))
    else:
        print_tables(sections)
    return 0


def _measured(options: argparse.Namespace) -> list[Section]:
    rounds, seed = options.rounds, options.seed
    gc.freeze()  # as services do: what was imported is not walked through again at every collection
    with tempfile.TemporaryDirectory(prefix="scrimp-bench-") as name:
        folder = Path(name)
        return [
            measure_planning(size=200_000, rounds=rounds, seed=seed),
            *(
                measure_call_path(size=size, rounds=8 * rounds, seed=seed, grows=grows)
                for size in (2_000, 200_000)
                for grows in (False, True)
            ),
            measure_metering_body(rounds=rounds, seed=seed),
            measure_metering_stream(events=100, rounds=rounds, seed=seed),
            measure_pricing(calls=200, rounds=rounds, seed=seed),
            measure_reading(folder, size=round(options.size * 1e6), rounds=min(rounds, 3), seed=seed),
            measure_growth(most_blocks=options.blocks, seed=seed),
            measure_calls(folder, size=20_000, rounds=rounds, seed=seed),
            measure_calls(folder, size=200_000, rounds=rounds, seed=seed),
            measure_events(folder, answer=20_000, rounds=min(rounds, 10), seed=seed),
            measure_fanout(requests=32, first_event=min(1.0, rounds / 10), rounds=min(rounds, 3), seed=seed),
            measure_serving(requests=400, rounds=min(rounds, 5), seed=seed),
            measure_ledger_rows(folder, submitters=64, each=20, rounds=min(rounds, 5)),
            measure_ledger_wait(folder, rows=300),
            measure_budgets(folder, callers=64, each=40, rounds=min(rounds, 5)),
            measure_budget_storm(folder, cycles=400 * rounds, processes=4, callers=16, kills=rounds),
        ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--size", type=float, default=100, help="megabytes of transcripts (100)")
    parser.add_argument("--blocks", type=int, default=2_000, help="blocks the conversation grows to (2,000)")
    parser.add_argument("--rounds", type=int, default=25, help="rounds of each benchmark (25)")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything made up (1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
