"""Compaction: all that was said gives way to one summary, written by the agent's own model ("Compaction").

The summary is written on the agent's own prefix, so that the cache is read for it; its tokens are billed as
output, beside the call. What it keeps is not known beforehand: a summary is taken to name nothing that is
needed later, so what is missed is an upper bound. Conversations that were compacted when they were recorded
are shorter already, and stay so.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.carry.worth import summary_costs
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.clearing_cut import DROPPED, Cut
from scrimp.core.whatif.clearing_moments import moment_of
from scrimp.core.whatif.clearing_walk import Decision, Turn, carried, editable, static_tokens

__all__ = ["SUMMARY", "Compact", "can_sum_up", "summary_note", "summed_up"]

SUMMARY = 4_000
"""Tokens of a summary."""
_LEAST_SHARE = 4
"""What is summed up is at least so many times as long as its summary."""


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
        return carried(calls, self, can_sum_up, notes=(summary_note(self.summary),))

    def decide(self, turn: Turn) -> Decision:
        """Compact once the trigger is passed, where that makes the prompt shorter."""
        static = static_tokens(turn.measured)
        if turn.total <= self.trigger or turn.total - static < _LEAST_SHARE * self.summary:
            return Decision(turn.thread.cut)
        return Decision(summed_up(turn, self.summary), summary_costs(moment_of(turn, 1.0), self.summary))


def summed_up(turn: Turn, summary: int) -> Cut:
    """All messages of the prompt as one summary."""
    prompt = turn.measured.call.prompt
    first = prompt.static_end + 1
    left = dict.fromkeys(range(first, len(prompt)), DROPPED)
    left[first] = summary
    return Cut(left, first)


def can_sum_up(call: RecordedCall) -> bool:
    """Whether a conversation can be compacted: by the API, or by a client that may change what was said."""
    return bool(call.model.features.compaction) or editable(call)


def summary_note(summary: int) -> str:
    """What is taken for granted of a summary."""
    return f"a summary is taken to have {summary:,} tokens and to name nothing that is needed later"
