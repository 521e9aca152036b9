"""The digests under which things are kept: of what they are, and of whose."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from scrimp.core.offload.hidden import said_so_far
from scrimp.core.offload.results import Result, beginning
from scrimp.wire.request import Body

__all__ = ["conversation_keys", "cut_key", "left_key", "text_key"]

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


def left_key(root: bytes) -> bytes:
    """Of the note that a conversation is left alone."""
    return _digest(b"left", root)


def _digest(*parts: bytes) -> bytes:
    state = blake2b(digest_size=_SIZE)
    for part in parts:
        state.update(b"%d:%b" % (len(part), part))
    return state.digest()
