"""What conversations are known by: a digest of each of their beginnings, markers left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from scrimp.core.prompt import Digest

__all__ = ["chain_of", "chained", "packed", "said_of"]

_SIZE = 16
_MARKER = b"cache_control"
_encoder = msgspec.msgpack.Encoder()


def chain_of(messages: Sequence[Any], owner: str) -> list[Digest] | None:
    """A digest of each beginning of a conversation, whoever's it is; None for what are no messages."""
    said: list[bytes] = []
    for message in messages:
        data = packed(message)
        if data is None:
            return None
        said.append(data)
    return chained(said, owner)


def chained(said: Iterable[bytes], owner: str) -> list[Digest]:
    """A digest of each beginning of messages that are `packed`."""
    chain: list[Digest] = []
    state = said_of(owner)
    for data in said:
        state = blake2b(state + data, digest_size=_SIZE).digest()
        chain.append(state)
    return chain


def said_of(value: Any) -> Digest:
    """A digest of a value, the same whatever order its own fields are in."""
    try:
        data = _encoder.encode(sorted(value.items()) if isinstance(value, Mapping) else value)
    except (TypeError, ValueError, OverflowError, RecursionError):  # no JSON, or half of a surrogate pair
        data = repr(value).encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=_SIZE).digest()


def packed(message: Any) -> bytes | None:
    """What a message says, a text being one block of it; None for what is no message."""
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    try:
        data = _encoder.encode((message.get("role"), content))
        if _MARKER in data:
            data = _encoder.encode((message.get("role"), _unmarked(content)))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return data


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value
