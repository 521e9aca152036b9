"""Tool results and thinking that are cleared: the client goes on sending them, the model reads them no more.

The text of the placeholder is not published, nor whether the trigger counts what was cleared before: here
what an earlier request of the conversation had cleared stays cleared, and the trigger counts what is left.
That is worked out from the history a request brings, step by step, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import msgspec

from scrimp.emulator.context.edits import ClearToolUses, Edits

__all__ = ["Cleared", "Lengths", "clear"]

PLACEHOLDER = "[Old tool result content cleared]"
_PLACEHOLDER_TOKENS = 12
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_TOOLS, _THINKING = "clear_tool_uses_20250919", "clear_thinking_20251015"

Messages = list[dict[str, Any]]


class Lengths(Protocol):
    """Lengths of a prompt with other messages, in tokens."""

    def total(self, messages: Messages) -> int:
        """The whole prompt."""

    def parts(self, messages: Messages) -> tuple[list[int], dict[str, int]]:
        """The prompt up to the end of each message, and the result of each tool use by its id."""


class Cleared(msgspec.Struct, frozen=True):
    """Messages as the model reads them, and what the answer says of it."""

    messages: Messages
    applied: list[dict[str, Any]]


class _Use(NamedTuple):
    """A tool use with a result: `message` is where the result stands."""

    id: str
    tool: str
    message: int


def clear(messages: Messages, edits: Edits, lengths: Lengths, *, thinking_kept: bool) -> Cleared:
    """The messages with what `edits` clear; `thinking_kept` is what the model does with thinking itself."""
    applied: list[dict[str, Any]] = []
    if edits.thinking is not None:
        messages = _without_thinking(messages, edits.thinking.turns(kept=thinking_kept), lengths, applied)
    if edits.tools is not None:
        messages = _without_results(messages, edits.tools, lengths, applied)
    return Cleared(messages, applied)


def _without_thinking(
    messages: Messages, keep: int | None, lengths: Lengths, applied: list[dict[str, Any]]
) -> Messages:
    if keep is None:
        return messages
    thoughtful = [at for at, message in enumerate(messages) if _kinds(message) & _THOUGHTS]
    old = set(thoughtful[:-keep])
    if not old:
        return messages
    left = [_thoughtless(message) if at in old else message for at, message in enumerate(messages)]
    cleared = lengths.total(messages) - lengths.total(left)
    applied.append({"type": _THINKING, "cleared_input_tokens": cleared, "cleared_thinking_turns": len(old)})
    return left


def _without_results(
    messages: Messages, edit: ClearToolUses, lengths: Lengths, applied: list[dict[str, Any]]
) -> Messages:
    gone = _gone(messages, edit, lengths)
    if not gone:
        return messages
    left = _replaced(messages, edit, gone)
    cleared = lengths.total(messages) - lengths.total(left)
    applied.append({"type": _TOOLS, "cleared_input_tokens": cleared, "cleared_tool_uses": len(gone)})
    return left


def _gone(messages: Messages, edit: ClearToolUses, lengths: Lengths) -> set[str]:
    """The tool uses whose results are gone by now: each request of the history may have cleared some."""
    uses = list(_answered(messages))
    ends, results = lengths.parts(messages)
    saved = {use.id: max(0, results[use.id] - _PLACEHOLDER_TOKENS) for use in uses}
    gone: set[str] = set()
    for at in (at for at, message in enumerate(messages) if _ends_request(messages, at, message)):
        seen = [use for use in uses if use.message <= at]
        standing = [use for use in seen if use.id not in gone]
        left = ends[at] - sum(saved[one] for one in gone)
        amount = left if edit.trigger.type == "input_tokens" else len(standing)
        if amount <= edit.trigger.value:
            continue
        newest = {use.id for use in seen[-edit.keep.value :]} if edit.keep.value else set()
        more = {u.id for u in standing if u.id not in newest and u.tool not in (edit.exclude_tools or ())}
        least = edit.clear_at_least.value if edit.clear_at_least else 0
        if sum(saved[one] for one in more) >= least:
            gone |= more
    return gone


def _ends_request(messages: Messages, at: int, message: dict[str, Any]) -> bool:
    """Whether a request ended here: an answer follows, or nothing."""
    if at + 1 == len(messages):
        return True
    return bool(message["role"] != "assistant" and messages[at + 1]["role"] == "assistant")


def _answered(messages: Messages) -> Iterator[_Use]:
    """The tool uses that have a result, in order."""
    names = {
        block["id"]: str(block.get("name"))
        for message in messages
        for block in _blocks(message)
        if block["type"] == "tool_use"
    }
    for at, message in enumerate(messages):
        for block in _blocks(message):
            if block["type"] == "tool_result" and block["tool_use_id"] in names:
                yield _Use(block["tool_use_id"], names[block["tool_use_id"]], at)


def _replaced(messages: Messages, edit: ClearToolUses, gone: set[str]) -> Messages:
    """The messages with placeholders for the results of `gone`, and without their inputs where asked."""

    def replaced(block: dict[str, Any]) -> dict[str, Any]:
        if block["type"] == "tool_result" and block["tool_use_id"] in gone:
            return {**block, "content": PLACEHOLDER}
        if block["type"] == "tool_use" and block["id"] in gone and edit.clears_input(str(block.get("name"))):
            return {**block, "input": {}}
        return block

    return [
        {**message, "content": [replaced(block) for block in message["content"]]}
        if isinstance(message["content"], list)
        else message
        for message in messages
    ]


def _thoughtless(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": [block for block in _blocks(message) if block["type"] not in _THOUGHTS]}


def _kinds(message: dict[str, Any]) -> set[str]:
    return {block["type"] for block in _blocks(message)}


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else []
