"""Old turns of a conversation left out, so that what is sent stays valid and what was written stays readable.

The cut is worked out from the conversation's beginning, step by step, from what each step could see. So a
history gives the same cut again and again while it grows, messages that stay are left as they are, and a
prefix that was written to the cache is read until the next cut, which comes seldom and takes much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

import msgspec

from scrimp.core.tokens.estimator import Estimator
from scrimp.errors import RequestError
from scrimp.facts.model import Model
from scrimp.wire.request import message_blocks

__all__ = ["Kept", "Trimmed", "trimmed"]

Message = Mapping[str, Any]
Kept = Literal["bound thinking", "compaction"]
"""Why nothing may be cut: thinking is bound to what was before it, or the API holds the beginning itself."""

_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


class Trimmed(msgspec.Struct, frozen=True):
    """What is left of `head + messages[cut:]`: the first `head` messages stay, those before `cut` are gone.

    `removed` is their length in tokens (estimated); `kept` says why a conversation that is too long was left
    as it is.
    """

    head: int
    cut: int
    removed: int = 0
    kept: Kept | None = None


class _History(msgspec.Struct, frozen=True):
    """A conversation: where it may be cut, where a request ended, tokens before each message and in all."""

    head: int
    places: Sequence[int]
    requests: Sequence[int]
    before: Sequence[float]
    steps: Sequence[int]


def trimmed(
    messages: Sequence[Message], model: Model, *, trigger: int, keep: int, keep_turns: int
) -> Trimmed:
    """Where to cut a conversation that has grown beyond `trigger` tokens so that `keep` are left.

    The messages before the first answer and the last `keep_turns` answers with what followed them stay
    whatever their length. Raises RequestError for what is no list of messages.
    """
    history = _read(messages, Estimator(model))
    cut = history.head
    for end in history.requests:
        cut = _next_cut(history, cut, end=end, trigger=trigger, keep=keep, keep_turns=keep_turns)
    if cut == history.head:
        return Trimmed(cut, cut)
    kept = _untouchable(messages, cut, model)
    if kept is not None:
        return Trimmed(history.head, history.head, kept=kept)
    return Trimmed(history.head, cut, round(history.before[cut] - history.before[history.head]))


def _next_cut(history: _History, cut: int, *, end: int, trigger: int, keep: int, keep_turns: int) -> int:
    """Where the conversation up to message `end` begins, given where it began before."""
    before = history.before
    left = before[history.head] + before[end] - before[cut]
    if left <= trigger:
        return cut
    answers = [place for place in history.steps if cut <= place < end]
    if keep_turns > len(answers):
        return cut
    latest = answers[-keep_turns] if keep_turns else end - 1
    allowed = [place for place in history.places if cut < place <= latest]
    short = (place for place in allowed if before[history.head] + before[end] - before[place] <= keep)
    return next(short, allowed[-1] if allowed else cut)


def _read(messages: Sequence[Message], estimator: Estimator) -> _History:
    sizes = [0.0] * len(messages)
    for block in message_blocks(messages):
        sizes[block.message] += estimator.block_size(block)
    roles = [str(message.get("role")) for message in messages]
    head = next((at for at, role in enumerate(roles) if role == "assistant"), len(roles))
    steps = [
        at for at in range(head, len(roles)) if roles[at] == "assistant" and roles[at - 1] != "assistant"
    ]
    requests = [at for at in range(head + 1, len(roles) + 1) if at == len(roles) or roles[at] == "assistant"]
    return _History(
        head, _places(messages, roles, head), requests, list(accumulate(sizes, initial=0.0)), steps
    )


def _places(messages: Sequence[Message], roles: Sequence[str], head: int) -> list[int]:
    """The answers that may come first behind the head: no result is parted from its call by it.

    It is always an answer, so that the head of what is left is the head of the whole.
    """
    asked_at: dict[str, int] = {}
    latest_result = [0] * (len(messages) + 1)
    for at, message in enumerate(messages):
        for block in _blocks(message):
            if block.get("type") == "tool_use":
                asked_at[str(block.get("id"))] = at
            elif block.get("type") == "tool_result":
                begun = asked_at.get(str(block.get("tool_use_id")), at)
                latest_result[begun + 1] = max(latest_result[begun + 1], at)
    torn_until = list(accumulate(latest_result, max))  # by place: the last result of a call before it
    return [
        at
        for at in range(head + 1, len(messages))
        if roles[at] == "assistant" and roles[at - 1] != "assistant" and torn_until[at] < at
    ]


def _untouchable(messages: Sequence[Message], cut: int, model: Model) -> Kept | None:
    kinds = [block.get("type") for message in messages for block in _blocks(message)]
    if "compaction" in kinds:
        return "compaction"
    left = {block.get("type") for message in messages[cut:] for block in _blocks(message)}
    return "bound thinking" if left & _THOUGHTS and model.features.thinking_binding != "none" else None


def _blocks(message: Message) -> list[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return []
    if not isinstance(content, Sequence):
        raise RequestError("messages: content should be a text or a list of blocks")
    return [block for block in content if isinstance(block, Mapping)]
