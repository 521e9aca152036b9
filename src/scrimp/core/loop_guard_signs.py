"""What shows that an agent goes round in circles, from its last turns.

The defaults come from recorded conversations: in 964 of real agents' work (Claude Code sessions, SWE-bench
runs, tool benchmarks) the same call was answered the same at most twice in a row, in one run whose tool
was broken three times; no cycle was gone through more than twice; the same error came up to three times in
runs that were solved in the end. No stretch of work without a word from outside took more than 148 answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from scrimp.core.loop_guard_turns import Turn

__all__ = ["Loop", "Reason", "Signs"]

Reason = Literal["repeated call", "cycle", "same error", "repeated answer", "too many steps"]

_LONGEST_CYCLE = 4
_WEAK = 3
"""Times as often what says little has to come."""


class Loop(msgspec.Struct, frozen=True):
    """A loop: why it is taken for one, how often it was gone through, and what it is, without prompt text."""

    reason: Reason
    count: int
    what: str


class Signs(msgspec.Struct, frozen=True):
    """How often is too often.

    `repeats` in a row of the same call with the same result, or of the same answer without a call; `cycles`
    through the same two to four calls with the same results; `errors` in a row that are the same, whatever
    was called. Of turns that say little it takes three times as many.
    """

    repeats: int = 4
    cycles: int = 3
    errors: int = 5

    @property
    def turns(self) -> int:
        """How many turns have to be looked at."""
        return max(_WEAK * self.repeats, self.errors, _WEAK * self.cycles * _LONGEST_CYCLE)

    def found(self, turns: Sequence[Turn]) -> Loop | None:
        """The loop that the last turns (newest first) are in, if any."""
        if not turns or turns[0].waits:
            return None
        newest = turns[0]
        alike = _reach(turns, 1)
        if alike >= self.repeats * _weight(turns[:1]):
            if newest.tool is None:
                return Loop("repeated answer", alike, f"the same answer {alike} times in a row")
            return Loop(
                "repeated call",
                alike,
                f"the tool {newest.tool} called {alike} times in a row with the same input and result",
            )
        for period in range(2, _LONGEST_CYCLE + 1):
            rounds = _reach(turns, period) // period
            if rounds >= self.cycles * _weight(turns[:period]):
                return Loop("cycle", rounds, f"the same {period} calls with the same results {rounds} times")
        failed = _same_error(turns)
        if failed >= self.errors:
            return Loop("same error", failed, f"the same error from tools {failed} times in a row")
        return None


def _reach(turns: Sequence[Turn], period: int) -> int:
    """How many of the last turns go through one cycle of so many turns again and again."""
    reach = 0
    for at, turn in enumerate(turns):
        if turn.waits or (period > 1 and turn.tool is None):
            break
        if at >= period and not turn.is_like(turns[at - period]):
            break
        reach = at + 1
    return reach


def _weight(turns: Sequence[Turn]) -> int:
    """How many times as often as usual these have to come: more where all of them say little."""
    return _WEAK if all(turn.is_weak for turn in turns) else 1


def _same_error(turns: Sequence[Turn]) -> int:
    count = 0
    for turn in turns:
        if turn.failed is None or turn.failed != turns[0].failed or turn.waits or turn.is_denied:
            break
        count += 1
    return count
