"""Tool results and thinking that are cleared: the client goes on sending them, the model reads them no more.

The text of the placeholder is not published, nor whether the trigger counts what was cleared before: here
what an earlier request of the conversation had cleared stays cleared, and the trigger counts what is left.
That is worked out from the history a request brings, step by step, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from scrimp.core.carry.edits import ClearToolUses
from scrimp.core.carry.history import (
    THOUGHTS,
    Messages,
    Place,
    ToolUse,
    answered_uses,
    content_blocks,
    request_ends,
    thoughtful,
)

__all__ = [
    "GAP",
    "PLACEHOLDER",
    "PLACEHOLDER_TOKENS",
    "Parts",
    "is_placeholder",
    "results_gone",
    "thinking_gone",
    "with_gone",
]

PLACEHOLDER = "[Old tool result content cleared]"
PLACEHOLDER_TOKENS = 12

GAP: Mapping[str, Any] = {}
"""Where a block was that is not read: no block of any kind."""


def is_placeholder(block: Any) -> bool:
    """Whether a tool result was cleared."""
    return isinstance(block, Mapping) and block.get("content") == PLACEHOLDER


class Parts(Protocol):
    """Lengths of a prompt in tokens: up to the end of each message, and of the result at each place."""

    def __call__(self) -> tuple[Sequence[int], Mapping[Place, int]]:
        """Measured once, and only for edits that ask for it."""


def thinking_gone(messages: Messages, keep: int | None) -> set[int]:
    """The messages whose thinking goes where the last `keep` that have any keep theirs (None: all)."""
    return set() if keep is None else set(thoughtful(messages)[:-keep])


def results_gone(messages: Messages, edit: ClearToolUses, parts: Parts) -> list[ToolUse]:
    """The tool uses whose results are gone by now: each request of the history may have cleared some."""
    uses = answered_uses(messages)
    by_tokens = edit.trigger.type == "input_tokens"
    least = edit.clear_at_least.value if edit.clear_at_least else 0
    ends, sizes = parts() if by_tokens or least else ((), {})
    excluded = frozenset(edit.exclude_tools or ())
    gone: list[ToolUse] = []
    seen = looked_at = saved = 0
    for at in request_ends(messages):
        while seen < len(uses) and uses[seen].result[0] <= at:
            seen += 1
        amount = ends[at] - saved if by_tokens else seen - len(gone)
        upto = max(looked_at, seen - edit.keep.value)
        if amount <= edit.trigger.value or upto == looked_at:
            continue
        more = [use for use in uses[looked_at:upto] if use.tool not in excluded]
        freed = sum(max(0, sizes.get(use.result, 0) - PLACEHOLDER_TOKENS) for use in more)
        if freed < least:
            continue
        gone += more
        saved += freed
        looked_at = upto
    return gone


def with_gone(
    messages: Messages, gone: Sequence[ToolUse], edit: ClearToolUses | None, old: set[int], *, blank: bool
) -> list[Mapping[str, Any]]:
    """The messages with placeholders for the results of `gone`, without their inputs where `edit` says so,
    and without the thinking of the messages in `old`.

    `blank` leaves a `GAP` where a block was, so that all that stays is found where it was.
    """
    results = {use.result for use in gone}
    asked = {use.asked for use in gone if edit is not None and edit.clears_input(use.tool)}
    touched = {at for at, _ in (*results, *asked)} | old

    def left(place: Place, block: Mapping[str, Any]) -> Mapping[str, Any]:
        if place in results:
            return {**block, "content": PLACEHOLDER}
        if place in asked:
            return {**block, "input": {}}
        return GAP if place[0] in old and block.get("type") in THOUGHTS else block

    return [
        {**message, "content": _kept(left, at, message, blank=blank)} if at in touched else message
        for at, message in enumerate(messages)
    ]


def _kept(
    left: Callable[[Place, Mapping[str, Any]], Mapping[str, Any]],
    at: int,
    message: Mapping[str, Any],
    *,
    blank: bool,
) -> list[Mapping[str, Any]]:
    found = [left((at, number), block) for number, block in enumerate(content_blocks(message))]
    return found if blank else [block for block in found if block is not GAP]
