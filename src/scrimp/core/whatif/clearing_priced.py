"""Clearing of tool results with thresholds worked out from prices, the cache and the learned horizon.

Removing R tokens before S tokens that stay: while the cache is warm each of `n` calls to come, this one
included, is cheaper by a read of R, and the S tokens are written once where they would have been read. Cold,
the prompt is written whatever is in it, so that clearing costs nothing. In both cases what has been missed of
earlier removals is taken off, as a price of each token removed.

Clearing costs about the same however much goes, so it is done in batches: not before carrying what could go
has cost as much as clearing it does. That is never more than twice what the best moment would have cost,
whenever the conversation ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap

import msgspec

from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.clearing import ASSUMED, clearable, cleared
from scrimp.core.whatif.clearing_walk import Decision, Turn, carried, clears, lifetime_of
from scrimp.core.whatif.regret_foreseen import Foresight, missed_cost
from scrimp.facts.prices import Rates

__all__ = ["ClearPriced", "Prospect", "breaking_cost", "still_read", "worth_clearing"]


class Prospect(msgspec.Struct, frozen=True):
    """A clear that could be done now.

    `removed` tokens would go, `rewritten` tokens after them would be written instead of read; `calls` is how
    many calls are expected while the cache is warm, this one included; `missed` is what removing these tokens
    is expected to cost for being missed, picodollars.
    """

    removed: int
    rewritten: int
    calls: float
    missed: float
    warm: bool


def worth_clearing(prospect: Prospect, rates: Rates) -> float:
    """What clearing now is expected to save, picodollars: negative where it costs more than it saves."""
    saved = prospect.calls * rates.read * prospect.removed - prospect.missed
    if prospect.warm:
        return saved - breaking_cost(prospect, rates)
    return saved + prospect.removed * (rates.write_5m - rates.read)  # it need not be written even once


def breaking_cost(prospect: Prospect, rates: Rates) -> int:
    """What writing again costs that would have been read."""
    return prospect.rewritten * (rates.write_5m - rates.read)


class ClearPriced(msgspec.Struct, frozen=True):
    """`clear_tool_uses_20250919`, its thresholds set anew for each call from what clearing then costs."""

    keep: int = 3
    exclude_tools: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "clear-priced"

    def describe(self) -> str:
        """In one line."""
        return f"clear tool results but the last {self.keep} when it pays, by prices, cache and horizon"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with their results cleared."""
        return carried(calls, _Deciding(self), clears, notes=(ASSUMED,))


class _Deciding:
    """The lever with what it has learned of one source."""

    def __init__(self, lever: ClearPriced) -> None:
        self._lever = lever
        self._foresight = Foresight()

    def decide(self, turn: Turn) -> Decision:
        lever, rates = self._lever, turn.measured.rates
        self._foresight.observe(turn)
        before = turn.thread.cut
        uses = clearable(turn, lever.keep, lever.exclude_tools)
        left = cleared(turn, uses) if uses else {}
        removed = sum(starmap(turn.takes, left.items()))
        if removed <= 0:
            return Decision(before, waited=turn.thread.waited)
        calls = 1.0 + self._foresight.calls_to_come(turn)
        prospect = Prospect(
            removed,
            _rewritten(turn, min(left), removed),
            calls,
            missed_cost(turn, removed, calls),
            turn.warm,
        )
        waited = turn.thread.waited + removed * rates.read
        too_soon = turn.warm and waited < breaking_cost(prospect, rates)
        if too_soon or worth_clearing(prospect, rates) <= 0:
            return Decision(before, waited=waited)
        return Decision(before.with_more(left))


def _rewritten(turn: Turn, first: int, removed: int) -> int:
    """Tokens in the cache now that a cut at position `first` leaves but has written again."""
    return max(0, turn.thread.total - removed - still_read(turn, first))


def still_read(turn: Turn, first: int) -> int:
    """Tokens that are read whatever happens from position `first` on.

    They end where an earlier call of the conversation did whose entry lives, or with tools and system.
    """
    call, ends = turn.measured.call, turn.measured.ends
    lifetime = lifetime_of(call)
    tails = [tail for tail in turn.thread.tails if tail.length <= first and call.at - tail.at < lifetime]
    kept = max([tail.length for tail in tails], default=call.prompt.static_end + 1)
    gone = sum([turn.takes(place, left) for place, left in turn.thread.cut.left.items() if place < kept])
    return (ends[kept - 1] if kept else 0) - gone
