"""Compaction: all that was said gives way to one summary, written by the agent's own model ("Compaction").

The summary is written on the agent's own prefix, so that the cache is read for it; its tokens are billed as
output, beside the call. What it keeps is not known beforehand: a summary is taken to name nothing that is
needed later, so what is missed is an upper bound. Conversations that were compacted when they were recorded
are shorter already, and stay so.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.clearing_cut import DROPPED, Cut
from scrimp.core.whatif.clearing_walk import Decision, Turn, carried, editable
from scrimp.core.whatif.regret_foreseen import Foresight, missed_cost
from scrimp.facts.prices import Rates

__all__ = ["Compact", "CompactPriced", "Compaction", "compacting_cost", "worth_compacting"]

SUMMARY = 4_000
"""Tokens of a summary."""
_LEAST_SHARE = 4
"""What is summed up is at least so many times as long as its summary."""


class Compaction(msgspec.Struct, frozen=True):
    """A compaction that could be done now, in tokens.

    The prompt has `before`, of which `cached` can be read, and would have `after`; tools and system have
    `static`. `calls` are expected while the cache is warm, this one included.
    """

    before: int
    cached: int
    after: int
    static: int
    summary: int
    calls: float


class Compact(msgspec.Struct, frozen=True):
    """`compact_20260112`: beyond `trigger` input tokens all messages become a summary of `summary` tokens."""

    trigger: int = 150_000
    summary: int = SUMMARY

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "compact"

    def describe(self) -> str:
        """In one line."""
        return f"compact beyond {self.trigger:,} tokens into a summary of {self.summary:,}"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with their conversations compacted."""
        return carried(calls, self, _summed_up, notes=_notes(self.summary))

    def decide(self, turn: Turn) -> Decision:
        """Compact once the trigger is passed."""
        found = _compaction(turn, self.summary, calls=1.0) if turn.total > self.trigger else None
        if found is None:
            return Decision(turn.thread.cut)
        return Decision(_summed(turn, self.summary), compacting_cost(found, turn.measured.rates))


class CompactPriced(msgspec.Struct, frozen=True):
    """Compaction when it pays, by prices, the state of the cache and the learned horizon."""

    summary: int = SUMMARY

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "compact-priced"

    def describe(self) -> str:
        """In one line."""
        return f"compact into a summary of {self.summary:,} tokens when it pays"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with their conversations compacted."""
        return carried(calls, _Deciding(self), _summed_up, notes=_notes(self.summary))


class _Deciding:
    """The lever with what it has learned of one source."""

    def __init__(self, lever: CompactPriced) -> None:
        self._lever = lever
        self._foresight = Foresight()

    def decide(self, turn: Turn) -> Decision:
        self._foresight.observe(turn)
        thread, rates = turn.thread, turn.measured.rates
        found = _compaction(turn, self._lever.summary, calls=1.0 + self._foresight.calls_to_come(turn))
        if found is None:
            return Decision(thread.cut, waited=thread.waited)
        removed = found.before - found.after
        waited = thread.waited + removed * rates.read
        cost = compacting_cost(found, rates)
        too_soon = turn.warm and waited < cost
        if too_soon or worth_compacting(found, rates) <= missed_cost(turn, removed, found.calls):
            return Decision(thread.cut, waited=waited)
        return Decision(_summed(turn, self._lever.summary), cost)


def compacting_cost(compaction: Compaction, rates: Rates) -> int:
    """What writing the summary costs, picodollars: its prompt, from the cache as far as it is there."""
    plain = compaction.before - compaction.cached
    return compaction.cached * rates.read + plain * rates.input + compaction.summary * rates.output


def worth_compacting(compaction: Compaction, rates: Rates) -> int:
    """What compacting now is expected to save, picodollars, before anything is missed.

    Every call to come reads the shorter prompt; what follows tools and system is written once.
    """
    removed = compaction.before - compaction.after
    kept_new = compaction.after - min(compaction.static, compaction.cached)
    unread = compaction.before - compaction.cached
    without = compaction.cached * rates.read + unread * rates.write_5m
    now = (compaction.after - kept_new) * rates.read + kept_new * rates.write_5m
    later = round((compaction.calls - 1.0) * rates.read * removed)
    return without - now + later - compacting_cost(compaction, rates)


def _compaction(turn: Turn, summary: int, calls: float) -> Compaction | None:
    """What can be compacted now; None where that would not be much shorter."""
    prompt, ends = turn.measured.call.prompt, turn.measured.ends
    static = ends[prompt.static_end] if prompt.static_end >= 0 else 0
    said = turn.total - static
    if said < _LEAST_SHARE * summary:
        return None
    cached = min(turn.thread.total, turn.total) if turn.warm else 0
    return Compaction(turn.total, cached, static + summary, static, summary, calls)


def _summed(turn: Turn, summary: int) -> Cut:
    """All messages of the prompt as one summary."""
    prompt = turn.measured.call.prompt
    first = prompt.static_end + 1
    left = dict.fromkeys(range(first, len(prompt)), DROPPED)
    left[first] = summary
    return Cut(left, first)


def _summed_up(call: RecordedCall) -> bool:
    """Whether a conversation can be compacted: by the API, or by a client that may change what was said."""
    return bool(call.model.features.compaction) or editable(call)


def _notes(summary: int) -> tuple[str, ...]:
    return (f"a summary is taken to have {summary:,} tokens and to name nothing that is needed later",)
