"""Tool results and thinking that are cleared: the client goes on sending them, the model reads them no more.

The text of the placeholder is not published, nor whether the trigger counts what was cleared before: here
what is gone stays gone, and the trigger counts what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from scrimp.emulator.context.edits import ClearThinking, ClearToolUses, Edits

__all__ = ["Cleared", "clear"]

PLACEHOLDER = "[Old tool result content cleared]"
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_LIGHT = ("clear_tool_uses_20250919", "clear_thinking_20251015")

Messages = list[dict[str, Any]]
Measured = Callable[[Messages], int]


class Cleared(msgspec.Struct, frozen=True):
    """Messages as the model reads them, what the answer says of it, and the tool uses that are gone."""

    messages: Messages
    applied: list[dict[str, Any]]
    gone: frozenset[str]


class _Use(NamedTuple):
    id: str
    tool: str


def clear(messages: Messages, edits: Edits, gone: frozenset[str], tokens: Measured) -> Cleared:
    """The messages with what `edits` clear; `gone` are tool uses whose results went before.

    `tokens` measures the whole prompt with other messages.
    """
    applied: list[dict[str, Any]] = []
    if edits.thinking is not None:
        messages = _without_thinking(messages, edits.thinking, tokens, applied)
    if edits.tools is None:
        return Cleared(messages, applied, frozenset())
    return _without_results(messages, edits.tools, gone, tokens, applied)


def _without_thinking(
    messages: Messages, edit: ClearThinking, tokens: Measured, applied: list[dict[str, Any]]
) -> Messages:
    if edit.keep == "all":
        return messages
    thoughtful = [at for at, message in enumerate(messages) if _kinds(message) & _THOUGHTS]
    old = set(thoughtful[: -edit.keep.value] if edit.keep.value else thoughtful)
    if not old:
        return messages
    left = [_thoughtless(message) if at in old else message for at, message in enumerate(messages)]
    applied.append(
        {
            "type": _LIGHT[1],
            "cleared_input_tokens": tokens(messages) - tokens(left),
            "cleared_thinking_turns": len(old),
        }
    )
    return left


def _without_results(
    messages: Messages,
    edit: ClearToolUses,
    gone: frozenset[str],
    tokens: Measured,
    applied: list[dict[str, Any]],
) -> Cleared:
    uses = list(_answered(messages))
    gone &= {use.id for use in uses}
    left = _replaced(messages, edit, gone)
    more = gone | _next_to_go(uses, edit, gone, tokens(left))
    if more != gone:
        shorter = _replaced(messages, edit, more)
        enough = edit.clear_at_least is None or tokens(left) - tokens(shorter) >= edit.clear_at_least.value
        gone, left = (more, shorter) if enough else (gone, left)
    if gone:
        cleared = tokens(messages) - tokens(left)
        applied.append({"type": _LIGHT[0], "cleared_input_tokens": cleared, "cleared_tool_uses": len(gone)})
    return Cleared(left, applied, gone)


def _next_to_go(uses: list[_Use], edit: ClearToolUses, gone: frozenset[str], tokens: int) -> set[str]:
    """The tool uses whose results go now: all but the newest, once the trigger is passed."""
    standing = [use for use in uses if use.id not in gone]
    amount = tokens if edit.trigger.type == "input_tokens" else len(standing)
    if amount <= edit.trigger.value:
        return set()
    newest = {use.id for use in uses[-edit.keep.value :]} if edit.keep.value else set()
    return {use.id for use in standing if use.id not in newest and use.tool not in (edit.exclude_tools or ())}


def _answered(messages: Messages) -> Iterator[_Use]:
    """The tool uses that have a result, in order."""
    names = {
        block["id"]: str(block.get("name"))
        for message in messages
        for block in _blocks(message)
        if block["type"] == "tool_use"
    }
    for message in messages:
        for block in _blocks(message):
            if block["type"] == "tool_result" and block["tool_use_id"] in names:
                yield _Use(block["tool_use_id"], names[block["tool_use_id"]])


def _replaced(messages: Messages, edit: ClearToolUses, gone: frozenset[str] | set[str]) -> Messages:
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
