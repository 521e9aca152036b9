"""What carrying less pays on recorded runs, on top of caching alone: scrimp's decision beside fixed rules.

    python -m benchmarks.carrying recordings/ --least 50

Every row is the same recorded calls with something taken out of their prompts, replayed under the same
caching as the first row, caching alone. Content that the recorded continuation used after all is charged as
fetching it again. A run is dearer where its input, with all that is charged beside it, costs over 1 % more.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from benchmarks.carrying_report import as_json, print_report
from scrimp.cli.input import read_recordings
from scrimp.cli.output import print_json, progress
from scrimp.core.replay import POLICIES, Measured
from scrimp.core.whatif.changed import Lever, Removed
from scrimp.core.whatif.clearing import ClearToolUses
from scrimp.core.whatif.clearing_priced import CarryPriced, ClearPriced, CompactPriced
from scrimp.core.whatif.compacting import Compact
from scrimp.core.whatif.rows import Row, replay_row
from scrimp.core.whatif.trimming import DropOldest, KeepLast
from scrimp.errors import ScrimpError
from scrimp.traces.replays import Replayable, replayable

__all__ = ["ALONE", "LEVERS", "Carried", "RunBill", "main", "measure"]

ALONE = "caching alone"
LEVERS: Mapping[str, Lever] = {
    "scrimp carry": CarryPriced(),
    "scrimp clear": ClearPriced(),
    "scrimp compact": CompactPriced(),
    "API clear, 100K/keep 3": ClearToolUses(),
    "LangChain's defaults": ClearToolUses(counts_cleared=True),
    "API compact, 150K": Compact(),
    "keep last 6 pairs": KeepLast(6),
    "drop oldest, 100K": DropOldest(100_000),
}
TOLERANCE = 0.01
"""By how much of a run's bill it may be dearer and still count as no dearer."""


class RunBill(msgspec.Struct, frozen=True):
    """One run: what its input costs alone and with the lever, all charges included; picodollars."""

    run: str
    calls: int
    alone: int
    paid: int

    @property
    def dearer(self) -> float:
        """By which share of its cost alone."""
        return self.paid / self.alone - 1 if self.alone else 0.0


class Carried(msgspec.Struct, frozen=True):
    """One source under one lever. `beside` is charged beside input, of which `removed.charged` is regret."""

    source: str
    lever: str
    runs: tuple[RunBill, ...]
    beside: int = 0
    removed: Removed | None = None

    @property
    def alone(self) -> int:
        """What the input of all runs costs under caching alone, picodollars."""
        return sum(run.alone for run in self.runs)

    @property
    def paid(self) -> int:
        """What it costs with the lever, all that is charged included."""
        return sum(run.paid for run in self.runs)

    @property
    def changed(self) -> int:
        """Runs whose bill is another one."""
        return sum(run.paid != run.alone for run in self.runs)

    @property
    def too_dear(self) -> int:
        """Runs that cost over the tolerance more."""
        return sum(run.dearer > TOLERANCE for run in self.runs)

    @property
    def worst(self) -> RunBill:
        """The run that became dearest, as a share of its cost."""
        return max(self.runs, key=lambda run: run.dearer)


def measure(
    source: Replayable,
    levers: Mapping[str, Lever],
    *,
    policy: str = "scrimp",
    least: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[Carried]:
    """The source's runs of `least` calls or more under caching alone and under each lever."""
    counts = Counter(one.call.run for one in source.calls)
    calls = [one for one in source.calls if counts[one.call.run] >= least]
    if not calls:
        advance((1 + len(levers)) * len(source.calls))
        return
    alone = _bills(calls, Row(ALONE, policy))[0]
    advance(len(source.calls))
    runs = tuple(RunBill(run, counts[run], cost, cost) for run, cost in alone.items())
    yield Carried(source.source, ALONE, runs)
    for name, lever in levers.items():
        paid, beside, removed = _bills(calls, Row(name, policy, (lever,), changes_contents=True))
        runs = tuple(RunBill(run, counts[run], cost, paid[run]) for run, cost in alone.items())
        advance(len(source.calls))
        yield Carried(source.source, name, runs, beside, removed)


def _bills(calls: Sequence[Measured], row: Row) -> tuple[Counter[str], int, Removed | None]:
    """By run the input with what is charged beside it, in all what is charged beside it."""
    found = replay_row(calls, row)
    paid: Counter[str] = Counter()
    for one in found.replayed:
        paid[one.call.run] += one.input_cost + one.extra
    return paid, sum(one.extra for one in found.replayed), found.removed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code: 1 where scrimp's own rows do not keep their word."""
    options = _parser().parse_args(arguments)
    try:
        rows = _measured(options)
    except ScrimpError as error:
        print(f"carrying: {error}", file=sys.stderr)
        return 2
    if options.json:
        print_json(as_json(rows))
    else:
        print_report(rows, policy=options.policy, least=options.least)
    own = [row for row in rows if row.lever.startswith("scrimp")]
    return 0 if rows and not any(row.too_dear or row.paid > row.alone for row in own) else 1


def _measured(options: argparse.Namespace) -> list[Carried]:
    levers = {name: LEVERS[name] for name in options.lever or LEVERS}
    recordings = read_recordings(options.paths)
    corpus = recordings.corpus
    with progress("reading sessions", len(corpus.transcripts)) as advance:
        sources = list(replayable(corpus, recordings.facts, skipped=Counter(), needles=True, advance=advance))
    whole = (1 + len(levers)) * sum(len(source.calls) for source in sources)
    rows: list[Carried] = []
    with progress("replaying", whole) as advance:
        while sources:
            source = sources.pop(0)
            rows += measure(source, levers, policy=options.policy, least=options.least, advance=advance)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.carrying", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("paths", nargs="*", default=["src/scrimp/cli/recordings"], metavar="PATH")
    parser.add_argument(
        "--least", type=int, default=1, metavar="CALLS", help="calls of a run that counts (1)"
    )
    parser.add_argument("--policy", choices=list(POLICIES), default="scrimp", help="the caching (scrimp)")
    parser.add_argument("--lever", action="append", choices=list(LEVERS), help="this one; repeat for several")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


if __name__ == "__main__":
    sys.exit(main())
