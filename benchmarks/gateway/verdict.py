"""What is promised, and whether the figures keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.gateway.contenders import CORES, DIRECT, LITELLM, PORTKEY, SCRIMP, WORKERS, spread
from benchmarks.gateway.rounds import Figures, quantile

__all__ = ["Promise", "added", "beyond", "promises"]

Table = Mapping[str, Mapping[str, Figures]]
_KINDS = ("one request repeated", "growing conversations")


class Promise(NamedTuple):
    """One of them: what was measured, and the bound it is held against; not `judged`: shown, no more."""

    what: str
    figure: float
    bound: float
    unit: str
    at_most: bool = False
    judged: bool = True

    @property
    def kept(self) -> bool:
        """Whether it holds; a figure that is none does not."""
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound


def added(table: Table, cell: str, name: str, part: float) -> float:
    """Milliseconds a proxy adds to that part of the latencies of the upstream alone."""
    cells = table[cell]
    return (quantile(cells[name].latencies, part) - quantile(cells[DIRECT].latencies, part)) / 1e3


def beyond(table: Table, name: str, part: float) -> float:
    """Milliseconds that part of the events of paced streams comes later than without a proxy."""
    cells = table["paced streams"]
    return (quantile(cells[name].delays, part) - quantile(cells[DIRECT].delays, part)) / 1e3


def promises(table: Table) -> list[Promise]:
    """Those whose contenders were measured."""
    return list(_promises(table))


def _promises(table: Table) -> Iterator[Promise]:
    measured = table["paced streams"]
    if SCRIMP not in measured:
        return
    for kind in _KINDS:
        yield from _throughput(table, kind)
        if LITELLM in measured:
            cell = f"2 KB, {kind}, c=4"
            share = added(table, cell, LITELLM, 0.5) / max(added(table, cell, SCRIMP, 0.5), 1e-9)
            yield Promise(f"2 KB, {kind}: added p50 of {LITELLM} ÷ ours", share, 20, "×")
    late = beyond(table, SCRIMP, 0.99)
    yield Promise("paced streams: an event comes later by, p99", late, 1.0, "ms", at_most=True)


def _throughput(table: Table, kind: str) -> Iterator[Promise]:
    """Requests/s beside the peers': one process each, then several for each."""
    for size, peer, bound in (("2 KB", LITELLM, 50), ("2 KB", PORTKEY, 3), ("200 KB", LITELLM, 20)):
        cells = table[f"{size}, {kind}, c=32"]
        # Where load and upstream have no core to themselves they take the same from every request: much of a
        # fast proxy's rate, and nothing of a slow one's.
        for ours, theirs, judged in ((SCRIMP, peer, True), (spread(SCRIMP), spread(peer), CORES > WORKERS)):
            if ours in cells and theirs in cells:
                ratio = cells[ours].rate / cells[theirs].rate if cells[theirs].rate else float("nan")
                what = f"{size}, {kind}: requests/s of {ours} ÷ {theirs}"
                yield Promise(what, ratio, bound, "×", judged=judged)
