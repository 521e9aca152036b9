"""What a cache entry is worth: what later uses of its prefix are expected to save because it is there.

Per token of a prefix, with `q` the probability that the next use comes while the entry lives, `r` the price
of a read and `C` what a use costs when nothing lives (the cheapest of sending plain and of writing for either
lifetime, what that leaves behind counted in): an entry is worth `v = q * (C - r + v)`, since the next use
reads instead of paying `C` and keeps the entry alive. Where every use has the same chances that gives the
rules of thumb: five minutes pay iff `q * (write_5m - read) > write_5m - input`; an hour instead iff
`(write_1h - write_5m) * (1 + E[longer gaps]) < E[gaps between 5m and 1h] * (write_5m - read)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.gaps import Chances
from scrimp.facts.prices import Rates

__all__ = ["Chances", "Event", "Worth", "pausing", "worth"]

_KEPT = 0.95
"""How much a later use counts against the one before: nobody foresees more than some 20 uses."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """A later request that has this prompt's prefix up to `position` and no more.

    `stages` are the chances of the first such request, of the one after it, and so on; the last hold for all
    that follow. Chances of one stage are alternatives, their weights add up to one. `proven` is how much of
    what an hour promises beyond five minutes is believed: its premium is paid at once, by one for others.
    `kept` is how much a later use counts against the one before.
    """

    position: int
    stages: tuple[tuple[Chances, ...], ...]
    proven: float = 1.0
    kept: float = _KEPT

    @property
    def within_5m(self) -> float:
        """Probability of such a request within five minutes."""
        return sum(chances.weight * chances.within_5m for chances in self.stages[0])

    @property
    def within_1h(self) -> float:
        """Probability of the first such request after five minutes but within the hour."""
        return sum(chances.weight * chances.within_1h for chances in self.stages[0])


class Worth(msgspec.Struct, frozen=True, gc=False):
    """Picodollars a token that an entry of each lifetime will save, and what a use costs without any."""

    for_5m: float
    for_1h: float
    without: float


def worth(event: Event, rates: Rates) -> Worth:
    """What entries of this event's prefix are worth at these rates."""
    kept, read, stages = event.kept, rates.read, event.stages
    for_5m, for_1h, without = _lasting(stages[-1], kept, rates)
    if len(stages) == 1:
        return Worth(for_5m, for_5m + event.proven * (for_1h - for_5m), without)
    before: tuple[Chances, ...] | None = None
    soon = stays = 0.0
    for stage in reversed(stages[:-1]):
        if stage is not before:  # stages that are known together have the very same chances
            soon = sum([chances.weight * chances.within_5m for chances in stage])
            stays = soon + sum([chances.weight * chances.within_1h for chances in stage])
            before = stage
        saved = without - read
        for_5m = kept * soon * (saved + for_5m)
        for_1h = kept * stays * (saved + for_1h)
        without = min(float(rates.input), rates.write_5m - for_5m, rates.write_1h - for_1h)
    return Worth(for_5m, for_5m + event.proven * (for_1h - for_5m), without)


def pausing(event: Event) -> float:
    """Probability that a use comes after five minutes but within the hour before the last use of all."""
    found = sum(one.weight * one.within_1h / max(1.0 - one.within_5m, 1e-9) for one in event.stages[-1])
    for stage in reversed(event.stages[:-1]):
        found = sum(one.weight * (one.within_1h + one.within_5m * found) for one in stage)
    return found


def _lasting(stage: Sequence[Chances], kept: float, rates: Rates) -> tuple[float, float, float]:
    """The fixed point where every use is followed by the next with the same chances, as `Worth` has it.

    The mean over the alternatives, each of which holds for good.
    """
    read, write_5m, write_1h, plain = rates.read, rates.write_5m, rates.write_1h, float(rates.input)
    for_5m = for_1h = no_entry = weights = 0.0
    for chances in stage:
        weight = chances.weight
        soon = kept * chances.within_5m
        stays = soon + kept * chances.within_1h
        without = plain
        written = write_5m * (1.0 - soon) + read * soon
        if written < without:
            without = written
        written = write_1h * (1.0 - stays) + read * stays
        if written < without:
            without = written
        saved = without - read
        for_5m += weight * (saved * soon / (1.0 - soon))
        for_1h += weight * (saved * stays / (1.0 - stays))
        no_entry += weight * without
        weights += weight
    return for_5m / weights, for_1h / weights, no_entry / weights
