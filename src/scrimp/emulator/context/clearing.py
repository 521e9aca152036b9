"""What `clear_tool_uses` and `clear_thinking` take out of a history, and what the answer says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from scrimp.core.carry.clearing import results_gone, thinking_gone, with_gone
from scrimp.core.carry.edits import THINKING, TOOLS, Edits
from scrimp.core.carry.history import Place

__all__ = ["Cleared", "Lengths", "clear"]

Messages = list[dict[str, Any]]


class Lengths(Protocol):
    """Lengths of a prompt with other messages, in tokens."""

    def total(self, messages: Messages) -> int:
        """The whole prompt."""

    def parts(self, messages: Messages) -> tuple[Sequence[int], Mapping[Place, int]]:
        """The prompt up to the end of each message, and the tool results by where they stand."""


class Cleared(msgspec.Struct, frozen=True):
    """Messages as the model reads them, and what the answer says of it."""

    messages: Messages
    applied: list[dict[str, Any]]


def clear(messages: Messages, edits: Edits, lengths: Lengths, *, thinking_kept: bool) -> Cleared:
    """The messages with what `edits` clear; `thinking_kept` is what the model does with thinking itself."""
    applied: list[dict[str, Any]] = []
    if edits.thinking is not None:
        old = thinking_gone(messages, edits.thinking.turns(kept=thinking_kept))
        left = [dict(one) for one in with_gone(messages, (), None, old, blank=False)]
        _apply(applied, lengths, messages, left, type=THINKING, cleared_thinking_turns=len(old))
        messages = left
    if edits.tools is not None:
        before = messages
        gone = results_gone(before, edits.tools, lambda: lengths.parts(before))
        left = [dict(one) for one in with_gone(before, gone, edits.tools, set(), blank=False)]
        _apply(applied, lengths, before, left, type=TOOLS, cleared_tool_uses=len(gone))
        messages = left
    return Cleared(messages, applied)


def _apply(
    applied: list[dict[str, Any]], lengths: Lengths, before: Messages, left: Messages, **edit: Any
) -> None:
    if any(count for name, count in edit.items() if name != "type"):
        applied.append({**edit, "cleared_input_tokens": lengths.total(before) - lengths.total(left)})
