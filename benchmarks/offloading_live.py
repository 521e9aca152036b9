"""The offloading lever over recorded conversations, request by request: is every request still a valid one,
does each begin with the one before it, and how much of large results does it leave where money decides?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from benchmarks.recorded_conversations import Conversation
from scrimp.core.levers import Step
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.reducing import is_reduced
from scrimp.core.record import Tags
from scrimp.emulator.asked import Asked
from scrimp.emulator.validate import validate
from scrimp.facts.models import default
from scrimp.offloading import Offload
from scrimp.stores.offload_memory import MemoryOffload

__all__ = ["Driven", "drive"]

_DAY, _NOW = date(2026, 11, 21), 1_795_000_000.0
_LARGE = 6_000
"""Characters from which on a result may be a large one."""

Message = dict[str, Any]


class Driven(msgspec.Struct):
    """Sums over conversations: how many were valid before and after, and what became of large results."""

    conversations: int = 0
    valid_before: int = 0
    refused_after: int = 0
    changed_later: int = 0
    requests: int = 0
    large: int = 0
    cut: int = 0
    before: int = 0
    after: int = 0


def drive(found: Iterable[Conversation], model: str = "claude-opus-4-8") -> Driven:
    """Every conversation with large results through a lever of its own."""
    sums = Driven()
    for conversation in found:
        messages = _until_asked(conversation.messages)
        if any(_is_large(message) for message in messages):
            _drive(messages, model, sums)
    return sums


def _drive(messages: Sequence[Message], model: str, sums: Driven) -> None:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in _tools(messages)]
    body = {"model": model, "max_tokens": 1_000, "tools": tools, "messages": list(messages)}
    lever = Offload(always=True, store=MemoryOffload())
    sums.conversations += 1
    if not tools or _refused(body):
        return
    sums.valid_before += 1
    before: Mapping[str, Any] | None = None
    for end in _requests(messages):
        now = _sent(lever, {**body, "messages": list(messages[:end])})
        sums.requests += 1
        sums.refused_after += _refused(now)
        if before is not None:
            same = (
                now["messages"][: len(before["messages"])] == before["messages"]
                and now["tools"] == before["tools"]
            )
            sums.changed_later += not same
        before = now
    if before is not None:
        _count(messages, before["messages"], sums)


def _sent(lever: Offload, body: dict[str, Any]) -> dict[str, Any]:
    step = Step(body=body, model=default().resolve(body["model"]), tags=Tags(), now=_NOW, look=lambda _: None)
    change = lever.change(step)
    return dict(body if change is None else change.body)


def _refused(body: dict[str, Any]) -> bool:
    model = default().resolve(body["model"])
    return validate(Asked(body=body, name=body["model"], model=model, day=_DAY)) is not None


def _requests(messages: Sequence[Message]) -> list[int]:
    """Where requests end that matter: the first one, those with a new large result, the last."""
    asked = [at + 1 for at, one in enumerate(messages) if one["role"] == "user"]
    asked = [end for end in asked if end == len(messages) or messages[end]["role"] == "assistant"]
    large = [end for end in asked if _is_large(messages[end - 1])]
    return sorted({asked[0], *large, asked[-1]})


def _count(before: Sequence[Message], after: Sequence[Message], sums: Driven) -> None:
    for one, other in zip(before, after, strict=True):
        for block, sent in zip(_results(one), _results(other), strict=True):
            for text, left in zip(_texts(block), _texts(sent), strict=True):
                if len(text) >= _LARGE and not block.get("is_error") and (tokens := tokens_of(text)) > 2_000:
                    sums.large += 1
                    sums.cut += is_reduced(left)
                    sums.before += tokens
                    sums.after += tokens_of(left)


def _until_asked(messages: Sequence[Message]) -> list[Message]:
    """The conversation up to its last request."""
    last = max((at for at, one in enumerate(messages) if one["role"] == "user"), default=-1)
    return list(messages[: last + 1])


def _is_large(message: Message) -> bool:
    return any(len(text) >= _LARGE for block in _results(message) for text in _texts(block))


def _results(message: Message) -> list[Mapping[str, Any]]:
    content = message["content"]
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == "tool_result"]


def _texts(block: Mapping[str, Any]) -> list[str]:
    content = block.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    return [str(part.get("text")) for part in parts if isinstance(part, dict) and part.get("type") == "text"]


def _tools(messages: Sequence[Message]) -> list[str]:
    names: dict[str, None] = {}
    for message in messages:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_use":
                names[str(block.get("name"))] = None
    return list(names)
