"""How long until something is used again: learned gap distributions that also learn from silence.

Time since the last use is cut into bins. Of every wait a table counts which bins it outlasted and in which it
ended, as a life table does, so that a wait still going on teaches what it can: nothing about bins that it has
not reached. What was never seen is filled in from patterns of use known beforehand; which of them fits is
inferred from the same counts, so that a few waits tell a quick loop from single questions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from math import exp, inf, log
from operator import mul
from typing import NamedTuple

import msgspec

__all__ = ["EDGES", "Chances", "Counts", "GapTable", "Pattern", "Returns", "Waits", "pattern"]

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
_LIKE_PARENT = 2.0
"""Log odds beforehand of being like a wider kind rather than like any of the patterns."""
_LEAST, _MOST = 0.001, 0.995
_WAITS_REMEMBERED = 8_000
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

    def odds(self, bin_: int, *, ended: bool) -> float:
        """The log of the probability that a wait that has reached a bin ends in it, or outlasts it."""
        hazard = self.hazards[bin_]
        return log(hazard if ended else 1.0 - hazard)


def pattern(name: str, *masses: float) -> Pattern:
    """The pattern in which this share of all waits ends in each bin."""
    left, hazards = 1.0, []
    for mass in masses:
        hazards.append(min(_MOST, max(_LEAST, mass / left if left > 0 else _MOST)))
        left -= mass
    return Pattern(name, hazards)


class Chances(msgspec.Struct, frozen=True):
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

    __slots__ = ("_chances", "_ended", "_fits", "_patterns", "_priors", "_reached", "_unit", "_wider")

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
        self._chances: tuple[Chances, ...] | None = None
        if learned and self._refresh():
            for wider in self._wider:
                wider.fit = 0.0 if wider.like is None else self._fit(wider.like)

    @property
    def waits(self) -> float:
        """How many waits, faded, it has learned from."""
        return self._reached[0] / self._unit

    @property
    def pauses(self) -> float:
        """How many waits, faded, have ended after more than five minutes but within the hour."""
        return sum(self._ended[_5M:_1H]) / self._unit

    @property
    def learned(self) -> Counts:
        """What to keep for the next process."""
        unit = self._unit
        return Counts(tuple(n / unit for n in self._reached), tuple(n / unit for n in self._ended))

    def outlasted(self, bin_: int) -> None:
        """A wait has gone on beyond the end of a bin."""
        self._count(bin_, ended=False)

    def ended_in(self, bin_: int) -> None:
        """A wait has ended in a bin."""
        self._count(bin_, ended=True)

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
                Chances(share, 1.0 - left[_5M - 1], (1.0 - left[_1H - 1]) - (1.0 - left[_5M - 1]))
                for share, left in self._estimate()
            )
        return self._chances

    def shed(self) -> None:
        """Nobody asks any more: waits that still tell it how long they go on keep an empty table."""
        self._wider, self._chances = (), None
        self._reached = self._ended = _SHED
        self._fits = self._patterns.nothing

    def _count(self, bin_: int, *, ended: bool) -> None:
        if self._reached is _SHED:
            return
        self._refresh()
        if bin_ == 0:
            self._fade()
        unit, patterns = self._unit, self._patterns
        self._reached[bin_] += unit
        if ended:
            self._ended[bin_] += unit
        odds = (patterns.log_ends if ended else patterns.log_lasts)[bin_]
        self._fits = [fit + unit * more for fit, more in zip(self._fits, odds, strict=True)]
        for wider in self._wider:
            like = wider.like
            if like is not None:
                wider.fit += unit * like.odds(bin_, ended=ended)
        self._chances = None

    def _fit(self, pattern: Pattern) -> float:
        """The log likelihood of what was counted; what counting one by one would have added up to."""
        counted = zip(self._ended, self._reached, pattern.hazards, strict=True)
        return sum(
            ended * log(hazard) + (reached - ended) * log(1.0 - hazard) for ended, reached, hazard in counted
        )

    def _fade(self) -> None:
        self._unit /= _KEEP
        if self._unit < _LARGEST_UNIT:
            return
        unit, self._unit = self._unit, 1.0
        self._reached = [count / unit for count in self._reached]
        self._ended = [count / unit for count in self._ended]
        self._fits = [fit / unit for fit in self._fits]
        for wider in self._wider:
            wider.fit /= unit

    def _refresh(self) -> bool:
        """Take over what wider kinds have learned since, where that is worth something."""
        moved = False
        for wider in self._wider:
            waits = wider.table.waits
            if waits >= _PARENT_TRUSTED_FROM and waits > 1.2 * wider.taken_at:
                wider.taken_at = waits
                wider.like = Pattern("like a wider kind", _hazards(wider.table.returns().within))
                moved = True
        return moved

    def _estimate(self) -> list[tuple[float, list[float]]]:
        """Per pattern that may hold: how likely it is, and what share of waits it leaves at each edge."""
        candidates, unit = self._patterns.all, self._unit
        scores = [prior + fit / unit for prior, fit in zip(self._priors, self._fits, strict=True)]
        for wider in self._wider:
            if wider.like is not None:
                candidates = (*candidates, wider.like)
                scores.append(_LIKE_PARENT + wider.fit / unit)
        best = max(scores)
        weights = [exp(score - best) for score in scores]
        whole = sum(weights)
        known = [reached / unit + _PRIOR_WEIGHT for reached in self._reached]
        ended = [count / unit for count in self._ended]
        return [
            (share, _left(one, ended, known))
            for one, weight in zip(candidates, weights, strict=True)
            if (share := weight / whole) > _NEGLIGIBLE
        ]


class _Tuned(NamedTuple):
    """Patterns with what each wait that is counted adds to their fits: per bin, a number for each pattern.

    `nothing` are the fits before the first wait.
    """

    all: tuple[Pattern, ...]
    nothing: list[float]
    log_ends: list[tuple[float, ...]]
    log_lasts: list[tuple[float, ...]]


@lru_cache(maxsize=256)
def _tuned(patterns: tuple[Pattern, ...]) -> _Tuned:
    ends, lasts = (
        [tuple(one.odds(bin_, ended=ended) for one in patterns) for bin_ in range(len(EDGES))]
        for ended in (True, False)
    )
    return _Tuned(patterns, [0.0] * len(patterns), ends, lasts)


@lru_cache(maxsize=256)
def _logs(weights: tuple[float, ...]) -> list[float]:
    return [log(max(weight, 1e-6)) for weight in weights]


def _left(one: Pattern, ended: Sequence[float], known: Sequence[float]) -> list[float]:
    """The probability of no end by each edge, what was counted set against a pattern."""
    counted = zip(ended, one.hazards, known, strict=True)
    return list(
        accumulate(
            [1.0 - (ends + _PRIOR_WEIGHT * hazard) / reached for ends, hazard, reached in counted], mul
        )
    )


def _hazards(within: Sequence[float]) -> list[float]:
    return [
        min(_MOST, max(_LEAST, (by - before) / (1.0 - before) if before < 1.0 else _MOST))
        for before, by in pairwise((0.0, *within))
    ]


class _Wider:
    """A wider kind: its pattern as last taken over, and how well that fits here."""

    __slots__ = ("fit", "like", "table", "taken_at")

    def __init__(self, table: GapTable) -> None:
        self.table = table
        self.like: Pattern | None = None
        self.fit = 0.0
        self.taken_at = 0.0


class _Wait(msgspec.Struct):
    since: float
    tables: tuple[GapTable, ...]
    over: bool = False


class Waits:
    """What is waiting for its next use, by key; every table of a wait is told how long it goes on."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, _Wait] = OrderedDict()
        self._in_bin: list[deque[_Wait]] = [deque() for _ in EDGES]
        self._due = inf
        """Until then no wait outlasts a bin."""

    def __contains__(self, key: Hashable) -> bool:
        return key in self._waiting

    def begin(self, key: Hashable, now: float, tables: tuple[GapTable, ...]) -> None:
        """`key` was used now; a wait of the same key that is still going on must have been ended."""
        wait = _Wait(now, tables)
        self._waiting[key] = wait
        self._in_bin[0].append(wait)
        self._due = min(self._due, now + EDGES[0])
        if len(self._waiting) > _WAITS_REMEMBERED:
            self._waiting.popitem(last=False)[1].over = True

    def end(self, key: Hashable, now: float) -> bool:
        """`key` is used again; whether it was waiting. Call `pass_to(now)` first."""
        wait = self._waiting.pop(key, None)
        if wait is None or wait.over:
            return False
        wait.over = True
        gap = now - wait.since
        if gap < EDGES[-1]:
            ended = bisect_right(EDGES, gap)
            for table in wait.tables:
                table.ended_in(ended)
        return True

    def pass_to(self, now: float) -> None:
        """Time went by: waits that outlasted a bin are counted in it."""
        if now < self._due:
            return
        for bin_, edge in enumerate(EDGES):
            queue = self._in_bin[bin_]
            while queue and (queue[0].over or queue[0].since + edge <= now):
                wait = queue.popleft()
                if wait.over:
                    continue
                for table in wait.tables:
                    table.outlasted(bin_)
                if bin_ + 1 < len(EDGES):
                    self._in_bin[bin_ + 1].append(wait)
        firsts = zip(self._in_bin, EDGES, strict=True)
        self._due = min((queue[0].since + edge for queue, edge in firsts if queue), default=inf)
