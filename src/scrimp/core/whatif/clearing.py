"""Clearing of old tool results and old thinking, by the API itself ("Context editing").

With fixed thresholds as the API takes them; `clearing_priced` works them out from prices, the state of the
cache and the learned horizon.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import starmap
from typing import Literal

import msgspec

from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.clearing_cut import DROPPED
from scrimp.core.whatif.clearing_threads import ToolUse
from scrimp.core.whatif.clearing_walk import Decision, Turn, carried, clears, editable

__all__ = ["ASSUMED", "ClearThinking", "ClearToolUses", "clearable", "cleared"]

PLACEHOLDER = 20
"""Tokens left of a cleared result or input: the placeholder's text is not published, so this is assumed."""

ASSUMED = f"a cleared result is taken to leave {PLACEHOLDER} tokens: the API's placeholder is not published"


class ClearToolUses(msgspec.Struct, frozen=True):
    """`clear_tool_uses_20250919` with fixed thresholds.

    When the prompt has more than `trigger` input tokens (or tool uses), the results of all tool uses but the
    last `keep` give way to placeholders, unless that clears fewer than `clear_at_least` tokens. `inputs` also
    clears what the tools were asked. `counts_cleared` compares the trigger with the prompt as the client
    sends it, cleared content included, as libraries do that edit a copy of each request; the API is taken to
    compare what is left.
    """

    trigger: int = 100_000
    trigger_type: Literal["input_tokens", "tool_uses"] = "input_tokens"
    keep: int = 3
    clear_at_least: int = 0
    exclude_tools: frozenset[str] = frozenset()
    inputs: bool | frozenset[str] = False
    counts_cleared: bool = False

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "clear"

    def describe(self) -> str:
        """In one line."""
        unit = "tokens" if self.trigger_type == "input_tokens" else "tool uses"
        least = f", at least {self.clear_at_least:,} tokens" if self.clear_at_least else ""
        return f"clear tool results beyond {self.trigger:,} {unit}, all but the last {self.keep}{least}"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with their results cleared."""
        allowed = editable if self.counts_cleared else clears
        return carried(calls, self, allowed, notes=(ASSUMED,))

    def decide(self, turn: Turn) -> Decision:
        """Clear once the trigger is passed."""
        before = turn.thread.cut
        if not self._passed(turn):
            return Decision(before)
        left = cleared(turn, clearable(turn, self.keep, self.exclude_tools), inputs=self.inputs)
        removed = sum(starmap(turn.takes, left.items()))
        if removed <= 0 or removed < self.clear_at_least:
            return Decision(before)
        return Decision(before.with_more(left))

    def _passed(self, turn: Turn) -> bool:
        if self.trigger_type == "tool_uses":
            uses = turn.pieces.uses
            counted = (
                uses if self.counts_cleared else [u for u in uses if u.result not in turn.thread.cut.left]
            )
            return len(counted) > self.trigger
        total = turn.measured.call.usage.total_input if self.counts_cleared else turn.total
        return total > self.trigger


class ClearThinking(msgspec.Struct, frozen=True):
    """`clear_thinking_20251015`: thinking of all turns but the last `keep` goes, whatever the cache holds."""

    keep: int = 1

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "clear-thinking"

    def describe(self) -> str:
        """In one line."""
        return f"clear the thinking of all turns but the last {self.keep}"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls without old thinking."""
        note = "thinking is mostly not recorded: its length is what the bills leave unexplained"
        return carried(calls, self, clears, notes=(note,))

    def decide(self, turn: Turn) -> Decision:
        """Drop what has become old."""
        thinking, before = turn.pieces.thinking, turn.thread.cut
        with_thinking = sorted({number for number, _ in thinking})
        if len(with_thinking) <= self.keep:
            return Decision(before)
        kept_from = with_thinking[-self.keep]
        old = [place for number, place in thinking if number < kept_from and place not in before.left]
        return Decision(
            before.with_more(dict.fromkeys((place for place in old if turn.size(place)), DROPPED))
        )


def clearable(turn: Turn, keep: int, excluded: frozenset[str]) -> list[ToolUse]:
    """Tool uses that may be cleared now and were not, oldest first."""
    uses, gone = turn.pieces.uses, turn.thread.cut.left
    old = uses[: max(0, len(uses) - keep)]
    return [use for use in old if use.result not in gone and use.name not in excluded]


def cleared(turn: Turn, uses: Iterable[ToolUse], *, inputs: bool | frozenset[str] = False) -> dict[int, int]:
    """What is left of each position when `uses` are cleared; results as short as a placeholder stay."""
    left: dict[int, int] = {}
    for use in uses:
        parts = range(use.begins, use.result + 1)
        if sum(map(turn.size, parts)) > PLACEHOLDER:
            left.update(dict.fromkeys(parts, DROPPED))
            left[use.result] = min(PLACEHOLDER, turn.size(use.result))
            if use.begins < use.result:  # the placeholder is nested in the result, as its content was
                left[use.begins] = min(PLACEHOLDER, turn.size(use.begins))
                left[use.result] = turn.size(use.result)
        asked = inputs if isinstance(inputs, bool) else use.name in inputs
        if asked and use.use >= 0 and turn.size(use.use) > PLACEHOLDER:
            left[use.use] = PLACEHOLDER
    return left
