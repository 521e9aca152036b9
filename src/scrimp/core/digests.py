"""Digests: what a block says in 16 bytes, and what was said up to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from scrimp.wire.request import Block

__all__ = ["Digest", "content_digest", "fresh_hash", "mixed"]

Digest = bytes
"""16 bytes of BLAKE2b."""

_SIZE = 16
_NEVER_RENDERED = ("cache_control",)
_LIST = (list, tuple)
_OBJECT = (dict, Mapping)  # dict first: asking an abstract class takes several times as long

fresh_hash = blake2b(digest_size=_SIZE).copy
"""A hash of nothing as yet; copying one is sooner done than making one."""


def content_digest(block: Block) -> Digest:
    """Digest of what `block` says, whatever order its own fields are in and wherever markers are."""
    value, kind = block.value, block.kind
    if kind == "text" and value.__class__ is not str and _plain_text(value):
        value = value["text"]
    begun = _BEGUN.get(kind) or _begun(kind)
    if value.__class__ is str or isinstance(value, str):
        said = begun[0]()
        said.update(value.encode("utf-8", "surrogatepass"))
    else:
        said = begun[1]()
        said.update(_canonical(kind, value))
    return said.digest()


@lru_cache(maxsize=256)
def _begun(kind: str) -> tuple[Callable[[], blake2b], Callable[[], blake2b]]:
    """The hashes of text and of other blocks, as far as all of a kind are alike: copies of them."""
    name = kind.encode("utf-8", "surrogatepass")
    return blake2b(name + b"\0", digest_size=_SIZE).copy, blake2b(name + b"\1", digest_size=_SIZE).copy


_BEGUN = {kind: _begun(kind) for kind in ("text", "tool_use", "tool_result", "thinking", "tool")}
"""Those of nearly all blocks."""


def _plain_text(value: Any) -> bool:
    return (
        (value.__class__ is dict or isinstance(value, _OBJECT))
        and isinstance(value.get("text"), str)
        and (
            len(value) == 2  # its type and its text
            or all(item is None or key in {"type", "text", "cache_control"} for key, item in value.items())
        )
    )


def _canonical(kind: str, value: Any) -> bytes:
    """Fields of a block in a fixed order; what lies deeper (inputs, schemas) keeps the order as sent."""
    try:
        return orjson.dumps(_usual_fields(kind, value) or _fields(value))
    except TypeError:  # integers beyond 64 bits, lone surrogates: rare, and json takes them
        return repr(_fields(value)).encode("utf-8", "surrogatepass")


def _usual_fields(kind: str, value: Any) -> Sequence[tuple[str, Any]]:
    """What `_fields` gives for most calls and results, which takes as long as all else here; else nothing."""
    if kind == "tool_result" and len(value) == 3:
        content, answered = value.get("content"), value.get("tool_use_id")
        if content.__class__ is str and answered.__class__ is str:
            return ("content", content), ("tool_use_id", answered), ("type", kind)
    elif kind == "tool_use" and len(value) == 4:
        named, given, name = value.get("id"), value.get("input"), value.get("name")
        if given.__class__ is dict and named.__class__ is str and name.__class__ is str:
            return ("id", named), ("input", given), ("name", name), ("type", kind)
    return ()


def _fields(value: Any) -> Any:
    if not isinstance(value, _OBJECT):
        return value
    if "cache_control" not in value and None not in value.values():
        inner = value.get("content")
        if inner.__class__ is str or not isinstance(inner, _LIST):
            return sorted(value.items())  # as what follows has it, for nearly all blocks
    return [
        (
            key,
            [_fields(inner) for inner in item] if key == "content" and isinstance(item, _LIST) else item,
        )
        for key, item in sorted(value.items())
        if item is not None and key not in _NEVER_RENDERED
    ]


def mixed(state: Digest, tag: bytes, item: Digest | str) -> Digest:
    """The chained digest that goes on from `state` with an item, `tag` saying what that is."""
    data = item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item
    chain = fresh_hash()
    chain.update(b"\0".join((state, tag, data)))
    return chain.digest()
