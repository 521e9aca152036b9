"""How long until something is used again: learned gap distributions that also learn from silence.

Time since the last use is cut into bins. Of every wait a table counts which bins it outlasted and in which it
ended, as a life table does, so that a wait still going on teaches what it can: nothing about bins that it has
not reached. What was never seen is filled in from patterns of use known beforehand; which of them fits is
inferred from the same counts, so that a few waits tell a quick loop from single questions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import exp, inf, log

import msgspec

__all__ = ["EDGES", "Chances", "Counts", "GapTable", "Pattern", "Returns", "pattern"]

EDGES = (2.0, 5.0, 15.0, 45.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, 3600.0, 14_400.0, 86_400.0)
"""Ends of the bins in seconds; two are lifetimes of cache entries. What is later counts as never."""

_5M, _1H = EDGES.index(300.0) + 1, EDGES.index(3600.0) + 1
_MEMORY = 300.0
"""Waits remembered: older ones fade by a factor e with every so many."""
_KEEP = 1.0 - 1.0 / _MEMORY
_PRIOR_WEIGHT = 2.0
_LARGEST_UNIT = 1e9
_NEGLIGIBLE = 1e-3
_PARENT_TRUSTED_FROM = 4.0
_WORTH_ANOTHER_LOOK = 1.2
"""Times as many waits as last time."""
_LIKE_PARENT = 2.0
"""Log odds beforehand of being like a wider kind rather than like any of the patterns."""
_LEAST, _MOST = 0.001, 0.995
_AS_A_RULE = 4
"""Patterns that most tables have."""
_SHED = [0.0] * len(EDGES)
"""The counts of every table that was shed."""


class Pattern:
    """A way of being used again: for each bin the probability that a wait that reached it ends in it.

    Many are kept, one or two for every table that has learned from a wider one: no more than that in each.
    """

    __slots__ = ("hazards", "name")

    def __init__(self, name: str, hazards: Sequence[float]) -> None:
        self.name = name
        self.hazards = tuple(hazards)


def pattern(name: str, *masses: float) -> Pattern:
    """The pattern in which this share of all waits ends in each bin."""
    left, hazards = 1.0, []
    for mass in masses:
        hazards.append(min(_MOST, max(_LEAST, mass / left if left > 0 else _MOST)))
        left -= mass
    return Pattern(name, hazards)


class Chances(msgspec.Struct, frozen=True, gc=False):
    """One of several alternatives with its probability, `weight`: how likely a next use then is, and when.

    Within five minutes, and after that but within the hour.
    """

    weight: float
    within_5m: float
    within_1h: float


class Returns(msgspec.Struct, frozen=True):
    """When the next use comes: `within[i]` is the probability that it does by `EDGES[i]` seconds.

    `if_like` splits that up by the pattern that may hold.
    """

    within: tuple[float, ...]
    if_like: tuple[Chances, ...] = ()

    @property
    def within_5m(self) -> float:
        """Probability of a next use within 5 minutes."""
        return self.within[_5M - 1]

    @property
    def within_1h(self) -> float:
        """Probability of a next use after 5 minutes but within the hour."""
        return self.within[_1H - 1] - self.within[_5M - 1]

    def by(self, seconds: float) -> float:
        """Probability of a next use by then, straight lines between the edges."""
        if seconds >= EDGES[-1]:
            return self.within[-1]
        bin_ = bisect_right(EDGES, seconds)
        start, reached = (EDGES[bin_ - 1], self.within[bin_ - 1]) if bin_ else (0.0, 0.0)
        share = (seconds - start) / (EDGES[bin_] - start)
        return reached + share * (self.within[bin_] - reached)


class Counts(msgspec.Struct, frozen=True):
    """What a table has learned: waits that reached and that ended in each bin; older ones have faded."""

    reached: tuple[float, ...]
    ended: tuple[float, ...]

    @property
    def sound(self) -> bool:
        """Whether some table can have counted this."""
        return len(self.reached) == len(self.ended) == len(EDGES) and all(
            0.0 <= ended <= reached < inf for reached, ended in zip(self.reached, self.ended, strict=True)
        )

    def at_most(self, waits: float) -> Counts:
        """The same experience of no more waits than that."""
        share = min(1.0, waits / max(self.reached[0], 1.0))
        return Counts(tuple(n * share for n in self.reached), tuple(n * share for n in self.ended))


class GapTable:
    """The gaps of one kind of use. `parents` are the tables of wider kinds that this one is part of.

    Older waits fade: what is kept stays as it is, and the unit in which it is counted grows with every wait.
    """

    __slots__ = (
        "_chances",
        "_ended",
        "_fits",
        "_patterns",
        "_priors",
        "_reached",
        "_unit",
        "_wider",
        "waits",
    )

    def __init__(
        self,
        patterns: Sequence[Pattern],
        weights: Sequence[float],
        parents: Sequence[GapTable] = (),
        learned: Counts | None = None,
    ) -> None:
        """`weights[i]` is the prior probability of `patterns[i]`."""
        bins = len(EDGES)
        self._patterns = _tuned(tuple(patterns))
        self._priors = _logs(tuple(weights))
        self._wider = tuple(_Wider(parent) for parent in parents)
        self._reached = list(learned.reached) if learned else [0.0] * bins
        self._ended = list(learned.ended) if learned else [0.0] * bins
        self._fits = [self._fit(one) if learned else 0.0 for one in patterns]
        self._unit = 1.0
        self.waits = self._reached[0]
        """How many waits, faded, it has learned from."""
        self._chances: tuple[Chances, ...] | None = None
        if learned and self._refresh():
            for wider in self._wider:
                wider.fit = 0.0 if wider.like is None else self._fit(wider.like)

    @property
    def pauses(self) -> float:
        """How many waits, faded, have ended after more than five minutes but within the hour."""
        return sum(self._ended[_5M:_1H]) / self._unit

    @property
    def learned(self) -> Counts:
        """What to keep for the next process."""
        unit = self._unit
        return Counts(tuple(n / unit for n in self._reached), tuple(n / unit for n in self._ended))

    def count(self, bin_: int, ended: int) -> None:
        """One more wait has reached a bin, and `ended` in it (1) or has outlasted it (0)."""
        reached, unit = self._reached, self._unit
        if reached is _SHED:
            return
        if bin_:
            reached[bin_] += unit
        else:
            unit = self._unit = unit / _KEEP
            if unit >= _LARGEST_UNIT:
                unit = self._counted_afresh()
                reached = self._reached
            waits = reached[0] = reached[0] + unit
            self.waits = waits / unit
        if ended:
            self._ended[bin_] += unit
        fits, odds = self._fits, self._patterns.log_odds[ended][bin_]
        if len(odds) == _AS_A_RULE:  # in a loop each takes twice as long
            (f0, f1, f2, f3), (o0, o1, o2, o3) = fits, odds
            self._fits = [f0 + unit * o0, f1 + unit * o1, f2 + unit * o2, f3 + unit * o3]
        else:
            self._fits = [fit + unit * more for fit, more in zip(fits, odds, strict=True)]
        for wider in self._wider:
            if wider.table.waits > wider.enough:
                wider.take_over()
            like = wider.like
            if like is not None:
                hazard = like.hazards[bin_]
                wider.fit += unit * log(hazard if ended else 1.0 - hazard)
        self._chances = None

    def returns(self) -> Returns:
        """When the next use comes, as far as is known."""
        chances, within = self.chances(), [0.0] * len(EDGES)
        for share, left in self._estimate():
            within = [sofar + share * (1.0 - lasts) for sofar, lasts in zip(within, left, strict=True)]
        return Returns(tuple(within), chances)

    def chances(self) -> tuple[Chances, ...]:
        """The same by the pattern that may hold, which is all that most need to know, and sooner known."""
        if self._refresh() or self._chances is None:
            self._chances = tuple(
                [
                    Chances(share, 1.0 - left[_5M - 1], (1.0 - left[_1H - 1]) - (1.0 - left[_5M - 1]))
                    for share, left in self._estimate()
                ]
            )
        return self._chances

    def shed(self) -> None:
        """Nobody asks any more: waits that still tell it how long they go on keep an empty table."""
        self._wider, self._chances, self.waits = (), None, 0.0
        self._reached = self._ended = _SHED
        self._fits = self._patterns.nothing

    def _fit(self, pattern: Pattern) -> float:
        """The log likelihood of what was counted; what counting one by one would have added up to."""
        counted = zip(self._ended, self._reached, pattern.hazards, strict=True)
        return sum(
            ended * log(hazard) + (reached - ended) * log(1.0 - hazard) for ended, reached, hazard in counted
        )

    def _counted_afresh(self) -> float:
        """Count in a unit of one again, once it has become too large; returns the unit."""
        unit, self._unit = self._unit, 1.0
        self._reached = [count / unit for count in self._reached]
        self._ended = [count / unit for count in self._ended]
        self._fits = [fit / unit for fit in self._fits]
        for wider in self._wider:
            wider.fit /= unit
        return 1.0

    def _refresh(self) -> bool:
        """Take over what wider kinds have learned since, where that is worth something."""
        moved = False
        for wider in self._wider:
            if wider.table.waits > wider.enough:
                moved = wider.take_over() or moved
        return moved

    def _estimate(self) -> list[tuple[float, Sequence[float]]]:
        """Per pattern that may hold: how likely it is, and what share of waits it leaves at each edge."""
        candidates, unit = self._patterns.all, self._unit
        priors, fits = self._priors, self._fits
        if len(fits) == len(priors) == _AS_A_RULE:
            (p0, p1, p2, p3), (f0, f1, f2, f3) = priors, fits
            scores = [p0 + f0 / unit, p1 + f1 / unit, p2 + f2 / unit, p3 + f3 / unit]
        else:
            scores = [prior + fit / unit for prior, fit in zip(priors, fits, strict=True)]
        for wider in self._wider:
            if wider.like is not None:
                candidates = (*candidates, wider.like)
                scores.append(_LIKE_PARENT + wider.fit / unit)
        best = max(scores)
        weights = [exp(score - best) for score in scores]
        whole = sum(weights)
        ended, reached = self._ended, self._reached
        found: list[tuple[float, Sequence[float]]] = []
        for number, weight in enumerate(weights):
            share = weight / whole
            if share > _NEGLIGIBLE:
                found.append((share, _left(ended, candidates[number].hazards, reached, unit)))
        return found


class _Tuned(msgspec.Struct, frozen=True):
    """Patterns with what each wait that is counted adds to their fits: per bin, a number for each pattern.

    `nothing` are the fits before the first wait, `log_odds` for waits that go on, and for those that end.
    """

    all: tuple[Pattern, ...]
    nothing: list[float]
    log_odds: tuple[list[tuple[float, ...]], list[tuple[float, ...]]]


@lru_cache(maxsize=256)
def _tuned(patterns: tuple[Pattern, ...]) -> _Tuned:
    ends = [one.hazards for one in patterns]
    lasts = [[1.0 - hazard for hazard in hazards] for hazards in ends]
    log_lasts, log_ends = (
        [tuple(log(odds[bin_]) for odds in each) for bin_ in range(len(EDGES))] for each in (lasts, ends)
    )
    return _Tuned(patterns, [0.0] * len(patterns), (log_lasts, log_ends))


@lru_cache(maxsize=256)
def _logs(weights: tuple[float, ...]) -> list[float]:
    return [log(max(weight, 1e-6)) for weight in weights]


def _left(
    ended: Sequence[float], hazards: Sequence[float], reached: Sequence[float], unit: float
) -> tuple[float, ...]:
    """The probability of no end by each edge, what was counted in this unit set against a pattern.

    Bin by bin, in so many words: a loop takes twice as long, and every step of a conversation asks. Of a bin
    that no wait has reached, what the pattern says comes out unchanged.
    """
    weight = _PRIOR_WEIGHT
    e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11 = ended
    h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11 = hazards
    r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11 = reached
    l0 = 1.0 - ((e0 / unit + weight * h0) / (r0 / unit + weight) if r0 else h0)
    l1 = l0 * (1.0 - ((e1 / unit + weight * h1) / (r1 / unit + weight) if r1 else h1))
    l2 = l1 * (1.0 - ((e2 / unit + weight * h2) / (r2 / unit + weight) if r2 else h2))
    l3 = l2 * (1.0 - ((e3 / unit + weight * h3) / (r3 / unit + weight) if r3 else h3))
    l4 = l3 * (1.0 - ((e4 / unit + weight * h4) / (r4 / unit + weight) if r4 else h4))
    l5 = l4 * (1.0 - ((e5 / unit + weight * h5) / (r5 / unit + weight) if r5 else h5))
    l6 = l5 * (1.0 - ((e6 / unit + weight * h6) / (r6 / unit + weight) if r6 else h6))
    l7 = l6 * (1.0 - ((e7 / unit + weight * h7) / (r7 / unit + weight) if r7 else h7))
    l8 = l7 * (1.0 - ((e8 / unit + weight * h8) / (r8 / unit + weight) if r8 else h8))
    l9 = l8 * (1.0 - ((e9 / unit + weight * h9) / (r9 / unit + weight) if r9 else h9))
    l10 = l9 * (1.0 - ((e10 / unit + weight * h10) / (r10 / unit + weight) if r10 else h10))
    l11 = l10 * (1.0 - ((e11 / unit + weight * h11) / (r11 / unit + weight) if r11 else h11))
    return l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11


def _hazards(within: Sequence[float]) -> list[float]:
    return [
        min(_MOST, max(_LEAST, (by - before) / (1.0 - before) if before < 1.0 else _MOST))
        for before, by in pairwise((0.0, *within))
    ]


class _Wider:
    """A wider kind: its pattern as last taken over, and how well that fits here.

    `enough` are the waits that the wider kind has to know of before it is worth another look.
    """

    __slots__ = ("enough", "fit", "like", "table")

    def __init__(self, table: GapTable) -> None:
        self.table = table
        self.like: Pattern | None = None
        self.fit = 0.0
        self.enough = 0.0

    def take_over(self) -> bool:
        """Whether there was something to be taken over."""
        waits = self.table.waits
        if waits < _PARENT_TRUSTED_FROM:
            return False
        self.enough = _WORTH_ANOTHER_LOOK * waits
        self.like = Pattern("like a wider kind", _hazards(self.table.returns().within))
        return True
