"""A history as clearing and compaction see it: tool uses and their results, answers, the last summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from scrimp.core.prompt import Prompt

__all__ = [
    "THOUGHTS",
    "Messages",
    "Place",
    "ToolUse",
    "answered_uses",
    "content_blocks",
    "last_summary",
    "lengths_of",
    "request_ends",
    "since_summary",
    "thoughtful",
]

Messages = Sequence[Mapping[str, Any]]
Place = tuple[int, int]
"""The index of a message, and of a block in it."""

THOUGHTS = frozenset({"thinking", "redacted_thinking"})


class ToolUse(NamedTuple):
    """A tool use with a result, and where the two stand."""

    tool: str
    asked: Place
    result: Place


def content_blocks(message: Mapping[str, Any]) -> Sequence[Any]:
    """The blocks of a message; none where its content is a text."""
    content = message.get("content")
    return content if isinstance(content, list | tuple) else ()


def answered_uses(messages: Messages) -> list[ToolUse]:
    """The client's tool uses that have a result, in the order of these; ids count from where they stand."""
    asked: dict[str, tuple[Place, str]] = {}
    found = []
    for place, block in _placed(messages):
        kind = block.get("type")
        if kind == "tool_use":
            asked[str(block.get("id"))] = place, str(block.get("name"))
        elif kind == "tool_result" and (use := asked.get(str(block.get("tool_use_id")))) is not None:
            found.append(ToolUse(use[1], use[0], place))
    return found


def _placed(messages: Messages) -> Iterator[tuple[Place, Any]]:
    for at, message in enumerate(messages):
        for number, block in enumerate(content_blocks(message)):
            yield (at, number), block


def request_ends(messages: Messages) -> Iterator[int]:
    """The messages that ended a request: an answer follows, or nothing."""
    last = len(messages) - 1
    for at, message in enumerate(messages):
        if at == last or (message.get("role") != "assistant" and messages[at + 1].get("role") == "assistant"):
            yield at


def thoughtful(messages: Messages) -> list[int]:
    """The messages with thinking."""
    return [
        at
        for at, message in enumerate(messages)
        if any(block.get("type") in THOUGHTS for block in content_blocks(message))
    ]


def last_summary(messages: Messages) -> Place | None:
    """The last summary that stands for all before it; one that failed stands for nothing."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        content = message.get("content") if message.get("role") == "assistant" else None
        if content.__class__ is not list and not isinstance(content, tuple):
            continue
        for number in range(len(content) - 1, -1, -1):
            block = content[number]
            if block.get("type") == "compaction" and block.get("content"):
                return at, number
    return None


def since_summary(messages: Messages) -> Messages:
    """What the model still reads: the last summary and what follows it (all, where there is none)."""
    place = last_summary(messages)
    if place is None:
        return messages
    at, number = place
    return [{**messages[at], "content": list(content_blocks(messages[at])[number:])}, *messages[at + 1 :]]


def lengths_of(prompt: Prompt, ends: Sequence[int], messages: int) -> tuple[list[int], dict[Place, int]]:
    """The prompt up to the end of each of so many messages, and its tool results by where they stand.

    `ends` are tokens up to each position.
    """
    until, results, begun = [0] * messages, {}, 0
    for block, end in zip(prompt.blocks, ends, strict=True):
        if block.message >= 0:
            until[block.message] = end
        if block.depth:
            continue
        if block.kind == "tool_result":
            results[block.message, int(block.path[-1])] = end - begun
        begun = end
    return list(accumulate(until, max)), results
