"""Old turns left out by the client, as agent libraries do it: to compare with.

Whole turns go, the first message stays, and what is kept begins with a message of the assistant, so that no
tool use is without its result. Both windows move with every step: each time the cache is broken right after
the first message. Neither is allowed where thinking is bound to what precedes it ("Extended thinking",
preserved thinking): such calls stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.prompt import Prompt
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.clearing_cut import DROPPED, Cut
from scrimp.core.whatif.clearing_walk import Decision, Turn, carried, editable

__all__ = ["DropOldest", "KeepLast"]


class KeepLast(msgspec.Struct, frozen=True):
    """Only the first message and the last `pairs` tool uses with their results."""

    pairs: int = 6

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "keep-last"

    def describe(self) -> str:
        """In one line."""
        return f"send the first message and the last {self.pairs} tool uses with their results only"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with older turns left out."""
        return carried(calls, self, editable)

    def decide(self, turn: Turn) -> Decision:
        """Leave out what lies before the last pairs."""
        uses, prompt = turn.pieces.uses, turn.measured.call.prompt
        if len(uses) <= self.pairs:
            return Decision(turn.thread.cut)
        oldest = uses[-self.pairs]
        if oldest.use < 0:
            return Decision(turn.thread.cut)
        return Decision(_without(turn, _begin_of_message(prompt, oldest.use)))


class DropOldest(msgspec.Struct, frozen=True):
    """The oldest turns after the first message go until the prompt has no more than `limit` tokens."""

    limit: int = 100_000

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "drop-oldest"

    def describe(self) -> str:
        """In one line."""
        return f"drop the oldest turns beyond {self.limit:,} tokens, all but the first message"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with their oldest turns left out."""
        return carried(calls, self, editable)

    def decide(self, turn: Turn) -> Decision:
        """Drop as little as brings the prompt within the limit, or all that may go."""
        if turn.total <= self.limit:
            return Decision(turn.thread.cut)
        prompt, ends = turn.measured.call.prompt, turn.measured.ends
        starts = _starts(prompt)
        if not starts:
            return Decision(turn.thread.cut)
        total = turn.measured.call.usage.total_input
        first = _end_of_first(prompt)
        within = (at for at in starts if total - (ends[at - 1] - ends[first - 1]) <= self.limit)
        return Decision(_without(turn, next(within, starts[-1])))


def _without(turn: Turn, until: int) -> Cut:
    """The conversation's cut and all between the first message and position `until`."""
    before, first = turn.thread.cut, _end_of_first(turn.measured.call.prompt)
    done = before.last + 1 if before else first
    return before.with_more(dict.fromkeys(range(done, until), DROPPED))


def _end_of_first(prompt: Prompt) -> int:
    """Where the first message ends, in positions."""
    start = prompt.static_end + 1
    message = prompt.blocks[start].message
    at = start
    while at < len(prompt) and prompt.blocks[at].message == message:
        at += 1
    return at


def _begin_of_message(prompt: Prompt, position: int) -> int:
    message = prompt.blocks[position].message
    while prompt.blocks[position - 1].message == message:
        position -= 1
    return position


def _starts(prompt: Prompt) -> list[int]:
    """Where messages of the assistant begin, after the first message."""
    blocks = prompt.blocks
    return [
        at
        for at in range(_end_of_first(prompt), len(blocks))
        if blocks[at].role == "assistant" and blocks[at].message != blocks[at - 1].message
    ]
