"""A request as the model reads it: since its last summary, with what its edits clear taken out.

What stays is found where it was: messages and blocks that are not read leave a gap, so that a path into what
is read is one into the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from scrimp.core.carry.clearing import GAP, results_gone, thinking_gone, with_gone
from scrimp.core.carry.edits import THINKING, ClearThinking, Edits, edits_of
from scrimp.core.carry.history import Messages, Place, content_blocks, last_summary
from scrimp.core.digests import Digest, content_digest
from scrimp.facts.model import Model
from scrimp.wire.request import Body, message_blocks
from scrimp.wire.response import TokenCounts, Usage

__all__ = [
    "Edited",
    "Measured",
    "Seen",
    "counted",
    "holds_summary",
    "seen",
    "since_in_place",
    "summing_up",
    "tail_of",
]


class Edited(msgspec.Struct, frozen=True):
    """What was taken out of a request: tool uses and turns of thinking cleared.

    `summary` says that one stands for what was before it, `replaced` is the `tail_of` that, where it is still
    sent; `compacts_beyond` is the length in tokens from which the prompt is summed up now.
    """

    tool_uses: int = 0
    thinking_turns: int = 0
    summary: bool = False
    compacts_beyond: int | None = None
    replaced: bytes = b""

    def agrees(self, applied: Mapping[str, int]) -> bool:
        """Whether that is what the answer says was done, by type of edit ("Context editing")."""
        told = counted(applied, "clear_tool_uses"), counted(applied, "clear_thinking")
        return told == (self.tool_uses, self.thinking_turns)


def counted(applied: Mapping[str, int], kind: str) -> int:
    """How many of a kind the answer says were cleared, whatever the date of the edit."""
    return sum(count for name, count in applied.items() if name.startswith(kind))


class Measured(Protocol):
    """Lengths of a request as it stands, in tokens."""

    def __call__(self, body: Body) -> tuple[Sequence[int], Mapping[Place, int]]:
        """Up to the end of each message, and of the tool result at each place."""


class Seen(msgspec.Struct, frozen=True):
    """A request as the model reads it, and what was taken out of it; without either as it was."""

    body: Body
    edited: Edited | None = None


def seen(body: Body, model: Model, measured: Measured) -> Seen:
    """`body` as `model` reads it; an edit that is not understood clears nothing."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not (body.get("context_management") or holds_summary(messages)):
        return Seen(body)
    if not all(isinstance(one, Mapping) for one in messages):
        return Seen(body)
    edits = edits_of(body) or Edits()
    place = last_summary(messages)
    if place is None and edits == Edits():
        return Seen(body)
    left = since_in_place(messages)
    thoughts = edits.thinking.turns(kept=model.features.thinking_kept) if edits.thinking else None
    old = thinking_gone(left, thoughts)
    left = with_gone(left, (), None, old, blank=True) if old else left
    gone = []
    if edits.tools is not None:
        plain = _without_edits(body, left, edits)
        gone = results_gone(left, edits.tools, lambda: measured(plain))
        left = with_gone(left, gone, edits.tools, set(), blank=True) if gone else left
    beyond = edits.compact.trigger.value if edits.compact else None
    edited = Edited(len(gone), len(old), place is not None, beyond, _replaced(messages, place))
    return Seen(_without_edits(body, left, edits), edited)


def holds_summary(messages: Messages) -> bool:
    """Whether there is any compaction block in it, a hollow one too; every request goes through here."""
    said = (
        one.get("content") for one in messages if one.__class__ is dict and one.get("role") == "assistant"
    )
    return any(
        block.__class__ is dict and block.get("type") == "compaction"
        for content in said
        if content.__class__ is list
        for block in content
    )


def since_in_place(messages: Messages) -> Messages:
    """The messages since the last summary, those before it with nothing in them; all where there is none."""
    place = last_summary(messages)
    if place is None:
        return messages
    at, number = place
    first = {**messages[at], "content": [*([GAP] * number), *content_blocks(messages[at])[number:]]}
    return [*({**message, "content": []} for message in messages[:at]), first, *messages[at + 1 :]]


def summing_up(usage: Usage) -> TokenCounts | None:
    """The sampling that summed the prompt up, where one did: the others had the summary in its place."""
    if not usage.iterations:  # nearly always
        return None
    return next((one for one in usage.iterations if one.type == "compaction"), None)


def tail_of(digests: Sequence[Digest]) -> bytes:
    """What a prompt is known by that goes on with one of which something was taken out: its last blocks."""
    return b"".join(digests[-2:])


def _replaced(messages: Messages, place: Place | None) -> bytes:
    if place is None:
        return b""
    last = message_blocks(messages[max(0, place[0] - 2) : place[0]])
    return tail_of([content_digest(block) for block in last[-2:]])


def _without_edits(body: Body, messages: Messages, edits: Edits) -> Body:
    """The request without its edits, but for the word that a model keeps all thinking."""
    rest = {name: value for name, value in body.items() if name != "context_management"}
    if edits.thinking is not None and _keeps_all(edits.thinking):
        rest["context_management"] = {"edits": [{"type": THINKING, "keep": "all"}]}
    return {**rest, "messages": messages}


def _keeps_all(edit: ClearThinking) -> bool:
    return edit.keep is not None and edit.turns(kept=False) is None
