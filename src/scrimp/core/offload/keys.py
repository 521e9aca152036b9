"""The digests under which things are kept: of what they are, and of whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from scrimp.core.offload.fetch_tool import FETCH, tools_of
from scrimp.core.offload.hidden import said_so_far
from scrimp.core.offload.results import Result, beginning
from scrimp.wire.request import Body

__all__ = ["conversation_keys", "cut_key", "left_key", "prefix_key", "text_key"]

_SIZE = 16


def text_key(scope: str, handle: str) -> bytes:
    """Of the text that a scope keeps under a handle."""
    return _digest(b"text", scope.encode(), handle.encode())


def cut_key(scope: str, result: Result) -> bytes:
    """Of what stands in the place of a result: the call it answers, and all it says."""
    text = result.text.encode("utf-8", "surrogatepass")
    use = result.use.encode("utf-8", "surrogatepass")
    part = max(result.part, 0)  # a text and a list of that one text say the same
    return _digest(b"cut", scope.encode(), use, str(part).encode(), text)


def conversation_keys(scope: str, body: Body) -> tuple[bytes, ...]:
    """What a conversation is known by: its beginning before the first answer, and with that if it is there.

    Conversations may begin alike, their answers do not. However messages are written, they are the same.
    Empty for what is no conversation.
    """
    messages: Sequence[Any] = body["messages"]
    first = beginning(body)
    ends = [len(messages)] if first is None else [len(first), len(first) + 1]
    try:
        return tuple(_digest(b"root", said_so_far(messages[:end], scope)) for end in ends)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ()


def prefix_key(scope: str, body: Body) -> bytes:
    """Of what stands before the messages, and belongs to whoever sends it: the model, its tools, its system.

    The same with and without the tool that is offered here, and whatever is marked.
    """
    system = [{"role": "system", "content": body.get("system") or ""}]
    tools = [_unmarked(tool) for tool in tools_of(body)]
    said = repr((body.get("model"), [tool for tool in tools if tool != FETCH]))
    return _digest(b"prefix", said.encode("utf-8", "surrogatepass"), said_so_far(system, scope))


def _unmarked(tool: Any) -> Any:
    """A tool as far as it counts; the name alone of the one that is offered here."""
    if not isinstance(tool, Mapping):
        return tool
    if tool.get("name") == FETCH:
        return FETCH
    return {name: value for name, value in tool.items() if name != "cache_control" and value is not None}


def left_key(root: bytes) -> bytes:
    """Of the note that a conversation is left alone."""
    return _digest(b"left", root)


def _digest(*parts: bytes) -> bytes:
    state = blake2b(digest_size=_SIZE)
    for part in parts:
        state.update(b"%d:%b" % (len(part), part))
    return state.digest()
