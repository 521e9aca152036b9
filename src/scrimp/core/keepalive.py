"""Keep-alive: whether reading a prefix again before it expires is cheaper than writing it anew afterwards.

A ping reads the prefix at the price of a read and lets its entry live for another lifetime. With odds for the
time of the next use, the pings until then are worth their price iff for some number k of them

    Σ P(next use in the window that ping i adds | none so far) · (write − read)  >  read · E[pings until it]

over i ≤ k. Pings beyond the best k are never sent, so that keeping alive ends by itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from math import exp
from typing import Protocol

import msgspec

from scrimp.core.money import usd

__all__ = ["Advice", "Entry", "GapOdds", "advise", "evenly", "observed_gaps", "worth_ahead"]

_MOST_PINGS = 300
"""Pings that are thought ahead: more than a day of 5-minute entries."""


class GapOdds(Protocol):
    """Odds of the next use."""

    def __call__(self, seconds: float, /) -> float:
        """Probability that the next use comes within so many seconds of the last one; never falling."""
        ...


class Entry(msgspec.Struct, frozen=True):
    """An entry that may be kept alive.

    `ping` is the price of one ping and `saving` what a use saves that reads instead of writing, picodollars.
    `lifetime` is that of the entry after a use, and a ping goes out `lead` before its end, both in seconds.
    """

    ping: int
    saving: int
    lifetime: float
    lead: float


class Advice(msgspec.Struct, frozen=True):
    """The best that pings can do: `pings` at most, expected to cost `cost` and to save `saves`, picodollars.

    `pings` is 0 where none pays; `cost` and `saves` are then those of a single one.
    """

    pings: int
    cost: int
    saves: int

    @property
    def pays(self) -> bool:
        """Whether the next ping should be sent."""
        return self.pings > 0

    @property
    def summary(self) -> str:
        """One line for people, in dollars."""
        cost, saves = usd(self.cost), usd(self.saves)
        if not self.pays:
            return f"keeping it alive does not pay: a ping costs ${cost} and saves ${saves} in expectation"
        times = "1 ping" if self.pings == 1 else f"up to {self.pings:,} pings"
        return f"keeping it alive pays: {times} for ${cost} in expectation to save ${saves}"


def advise(entry: Entry, odds: GapOdds, *, away: float, expires_in: float) -> Advice:
    """Whether to send the next ping to an entry that was last used `away` seconds ago.

    It expires `expires_in` seconds from now unless a ping is sent `entry.lead` before that (or at once).
    """
    staying_away = 1.0 - odds(away)
    if staying_away <= 0.0 or expires_in <= 0.0:
        return Advice(0, 0, 0)
    ends = away + expires_in
    at = away + max(0.0, expires_in - entry.lead)
    known = odds(ends)
    cost, gain, best = 0.0, 0.0, Advice(0, 0, 0)
    for pings in range(1, _MOST_PINGS + 1):
        cost += entry.ping * (1.0 - odds(at)) / staying_away
        saves = entry.saving * (odds(at + entry.lifetime) - known) / staying_away
        if saves - cost > gain:
            gain, best = saves - cost, Advice(pings, round(cost), round(saves))
        elif pings == 1:
            best = Advice(0, round(cost), round(saves))
        at += entry.lifetime - entry.lead
    return best


def worth_ahead(entry: Entry, odds: GapOdds) -> bool:
    """Whether to write the prefix before its first use, so that this one is as quick as the others.

    Money is never saved by that: where the use comes it costs one read more, where none comes a whole write.
    It is worth it where the loss to expect from no use is at most the price of that one read.
    """
    return (1.0 - odds(entry.lifetime)) * entry.saving <= entry.ping


def evenly(per_hour: float) -> GapOdds:
    """Odds of uses that come at random, so many an hour on average."""

    def within(seconds: float, /) -> float:
        return 1.0 - exp(-per_hour * max(0.0, seconds) / 3600.0)

    return within


def observed_gaps(gaps: Iterable[float], *, never: int = 0) -> GapOdds:
    """Odds from gaps seen so far, in seconds; `never` counts uses that nothing followed."""
    seen = sorted(gaps)
    whole = len(seen) + never

    def within(seconds: float, /) -> float:
        return bisect_right(seen, seconds) / whole if whole else 0.0

    return within
