"""Rows replayed on one source, each combination of levers once; of large sources some runs only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil

import msgspec

from scrimp.core.audit.candidates import Candidate
from scrimp.core.reproduce import Measured
from scrimp.core.summary import Foreseen
from scrimp.core.whatif.changed import Removed
from scrimp.core.whatif.rows import Row, RowReplay, replay_row

__all__ = ["SAMPLE", "Replays", "Sourced", "sampled"]

_RECORDED = "recorded"
SAMPLE = 2_500
"""Calls from which on levers that are slow to replay are replayed on every second, third, … run only."""


def sampled(runs: Sequence[str]) -> dict[str, bool] | None:
    """Of a large source, given the run of each call in time order, every so manieth run and its half.

    None where all runs are taken.
    """
    step = ceil(len(runs) / SAMPLE)
    distinct = list(dict.fromkeys(runs))
    if step < 2 or len(distinct) < 2 * step:
        return None
    return {run: bool(number % 2) for number, run in enumerate(distinct[::step])}


class Sourced(msgspec.Struct, frozen=True):
    """The calls of one source in time order, how the model foresaw their bills, and which of them count.

    `balanced` are the runs whose calls went to more than one provider; they are replayed on one. Of a sample
    `halves` says for each run in which half it is.
    """

    calls: Sequence[Measured]
    foreseen: Foreseen
    counts: Sequence[bool]
    balanced: frozenset[str] = frozenset()
    halves: Mapping[str, bool] = msgspec.field(default_factory=dict)

    @property
    def error(self) -> Fraction:
        """The model's error on the source, as a share of the bill."""
        found = self.foreseen
        return Fraction(abs(found.model - found.billed), found.billed) if found.billed else Fraction(0)

    @property
    def counted(self) -> list[Measured]:
        """The calls that count."""
        return [one for one, counts in zip(self.calls, self.counts, strict=True) if counts]


class _Priced(msgspec.Struct, frozen=True):
    """A row's calls that count, as far as figures need them: replays of whole sources are large."""

    costs: list[int]
    reads: list[int]
    spread: list[int]
    removed: Removed | None
    notes: tuple[str, ...]


class Replays:
    """The rows replayed on one source. `scale` is how much larger the source is that it stands for."""

    def __init__(self, source: Sourced, scale: Fraction = Fraction(1)) -> None:
        self.source = source
        self.scale = scale
        self._known: dict[tuple[str, ...], _Priced] = {}

    def of(self, levers: Sequence[Candidate]) -> _Priced:
        """The calls that count under these levers together; under none, as recorded."""
        names = tuple(one.lever for one in levers)
        found = self._known.get(names)
        if found is None:
            found = self._known[names] = _priced(replay_row(self.source.calls, _joined(levers)), self.source)
        return found

    def cost(self, levers: Sequence[Candidate]) -> int:
        """What these calls cost, picodollars."""
        return sum(self.of(levers).costs)

    def sample(self) -> Replays:
        """Every so many runs of a large source; a small one is its own sample."""
        source = self.source
        picked = sampled([one.call.run for one in source.calls])
        if picked is None:
            return self
        places = [place for place, one in enumerate(source.calls) if one.call.run in picked]
        found = Replays(
            msgspec.structs.replace(
                source,
                calls=[source.calls[place] for place in places],
                counts=[source.counts[place] for place in places],
                halves=picked,
            )
        )
        part = found.cost(())
        if not part:
            return self
        found.scale = Fraction(self.cost(()), part)
        return found

    def sampling_error(self, levers: Sequence[Candidate]) -> Fraction:
        """How far the figure may be off because not all runs were replayed: as far as two halves differ."""
        if self.scale == 1:
            return Fraction(0)
        before, after = self.of(()), self.of(levers)
        saved, whole = [0, 0], [0, 0]
        for place, one in enumerate(self.source.counted):
            half = self.source.halves[one.call.run]
            saved[half] += before.costs[place] - after.costs[place]
            whole[half] += before.costs[place]
        if not all(whole):
            return abs(Fraction(sum(saved))) * self.scale
        apart = abs(Fraction(saved[0], whole[0]) - Fraction(saved[1], whole[1]))
        return apart / 2 * sum(whole) * self.scale


def _joined(levers: Sequence[Candidate]) -> Row:
    """One row of several levers, in the order of their stages."""
    rows = [one.row() for one in sorted(levers, key=lambda one: one.stage)]
    return Row(
        "together",
        policy=next((row.policy for row in rows if row.policy != _RECORDED), _RECORDED),
        levers=tuple(lever for row in rows for lever in row.levers),
        markings=tuple(marking for row in rows for marking in row.markings),
    )


def _priced(found: RowReplay, source: Sourced) -> _Priced:
    """What a replay says of the calls that count."""
    kept = [one for one, counts in zip(found.replayed, source.counts, strict=True) if counts]
    return _Priced(
        [one.input_cost + one.output_cost + one.extra for one in kept],
        [one.outcome.read for one in kept],
        [one.spread for one in kept],
        found.removed,
        found.notes,
    )
