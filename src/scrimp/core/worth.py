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

from scrimp.facts.prices import Rates

__all__ = ["Chances", "Event", "Worth", "pausing", "worth"]

_KEPT = 0.95
"""How much a later use counts against the one before: nobody foresees more than some 20 uses."""


class Chances(msgspec.Struct, frozen=True):
    """One of several alternatives with its probability, `weight`: how likely a next use then is, and when."""

    weight: float
    within_5m: float
    within_1h: float


class Event(msgspec.Struct, frozen=True):
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


class Worth(msgspec.Struct, frozen=True):
    """Picodollars a token that an entry of each lifetime will save, and what a use costs without any."""

    for_5m: float
    for_1h: float
    without: float


def worth(event: Event, rates: Rates) -> Worth:
    """What entries of this event's prefix are worth at these rates."""
    lasting = [_lasting(chances, event.kept, rates) for chances in event.stages[-1]]
    weights = [chances.weight for chances in event.stages[-1]]
    found = Worth(*(_mean(weights, [getattr(one, name) for one in lasting]) for name in _FIELDS))
    for stage in reversed(event.stages[:-1]):
        soon = sum(chances.weight * chances.within_5m for chances in stage)
        stays = soon + sum(chances.weight * chances.within_1h for chances in stage)
        saved = found.without - rates.read
        for_5m = event.kept * soon * (saved + found.for_5m)
        for_1h = event.kept * stays * (saved + found.for_1h)
        found = Worth(for_5m, for_1h, _without(for_5m, for_1h, rates))
    surely = found.for_5m + event.proven * (found.for_1h - found.for_5m)
    return Worth(found.for_5m, surely, found.without)


def pausing(event: Event) -> float:
    """Probability that a use comes after five minutes but within the hour before the last use of all."""
    found = sum(one.weight * one.within_1h / max(1.0 - one.within_5m, 1e-9) for one in event.stages[-1])
    for stage in reversed(event.stages[:-1]):
        found = sum(one.weight * (one.within_1h + one.within_5m * found) for one in stage)
    return found


_FIELDS = ("for_5m", "for_1h", "without")


def _mean(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)


def _lasting(chances: Chances, kept: float, rates: Rates) -> Worth:
    """The fixed point where every use is followed by the next with the same chances."""
    soon = kept * chances.within_5m
    stays = soon + kept * chances.within_1h
    without = min(
        float(rates.input),
        rates.write_5m * (1.0 - soon) + rates.read * soon,
        rates.write_1h * (1.0 - stays) + rates.read * stays,
    )
    saved = without - rates.read
    return Worth(saved * soon / (1.0 - soon), saved * stays / (1.0 - stays), without)


def _without(for_5m: float, for_1h: float, rates: Rates) -> float:
    return min(float(rates.input), rates.write_5m - for_5m, rates.write_1h - for_1h)
