"""Results of tools kept for equal arguments: what equal means, and a bounded table that forgets with time.

Arguments are equal when they are the same JSON-like values under the same names, in whatever order: None,
booleans, whole numbers, floats, texts, bytes, lists, and objects with texts as keys. `1`, `1.0` and `True`
are three different values. For anything else there is no key: nothing says when two of it are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from math import isnan
from sys import getsizeof
from typing import Any, NamedTuple

__all__ = ["Kept", "Key", "Results", "arguments_key", "is_immutable", "weight"]

Key = tuple[str, bytes]
"""Whose result it is, and the digest of the arguments."""

_DEEPEST = 64
_PLAIN_WEIGHT = 64
"""Bytes taken for a number, and for what a container or an object is beside its parts."""


class Unequal(TypeError):  # noqa: N818 - never leaves this module
    """A value of which nothing says what it equals."""


def arguments_key(arguments: Mapping[str, Any]) -> bytes | str:
    """The digest of canonical arguments, or the name of the first argument that has none."""
    digest = blake2b(digest_size=16)
    for name in sorted(arguments):
        try:
            for part in _parts(arguments[name], 0):
                digest.update(b"%d:" % len(part) + part)
        except Unequal:
            return name
        digest.update(b"=" + name.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _parts(value: Any, depth: int) -> Iterator[bytes]:
    """A value as parts that no other value has: each begins with its kind."""
    kind = type(value)
    if value is None or kind in (bool, int):
        yield f"{kind.__name__} {value}".encode()
    elif kind is float and not isnan(value):  # which is not even itself
        yield b"float " + value.hex().encode()
    elif kind is str:
        yield b"str " + value.encode("utf-8", "surrogatepass")
    elif kind is bytes:
        yield b"bytes " + value
    elif depth < _DEEPEST and kind in (list, tuple):
        yield b"%s %d" % (kind.__name__.encode(), len(value))
        for item in value:
            yield from _parts(item, depth + 1)
    elif depth < _DEEPEST and kind is dict and all(type(name) is str for name in value):
        yield b"dict %d" % len(value)
        for name in sorted(value):
            yield from _parts(name, depth + 1)
            yield from _parts(value[name], depth + 1)
    else:
        raise Unequal


def is_immutable(value: Any) -> bool:
    """Whether a result can be handed to everybody as it is."""
    return value is None or type(value) in (bool, int, float, str, bytes)


def weight(value: Any) -> int:
    """About how many bytes a result takes in memory."""
    total, left, seen = 0, [value], set[int]()
    while left:
        item = left.pop()
        total += _PLAIN_WEIGHT
        if isinstance(item, str):
            total += len(item) * (1 if item.isascii() else 4)
        elif not is_immutable(item) and id(item) not in seen:
            seen.add(id(item))
            total += _own_bytes(item)
            left += _inner(item)
        elif isinstance(item, bytes):
            total += len(item)
    return total


def _own_bytes(item: Any) -> int:
    """What it takes itself, without what it refers to; as much as nothing where it cannot tell."""
    if isinstance(item, memoryview):
        return item.nbytes
    try:
        return getsizeof(item, 0)
    except (TypeError, ValueError):
        return 0


def _inner(item: Any) -> list[Any]:
    """What it refers to."""
    if isinstance(item, Mapping):
        return [*item.keys(), *item.values()]
    if isinstance(item, (list, tuple, set, frozenset, deque)):
        return list(item)
    slots = (name for kind in type(item).__mro__ for name in _names(kind.__dict__.get("__slots__", ())))
    inner = [getattr(item, name, None) for name in slots if not name.startswith("__")]
    return [*inner, *getattr(item, "__dict__", {}).values()]


def _names(slots: Any) -> Sequence[str]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


class Kept(NamedTuple):
    """A result, when it was asked for, and about how many bytes it takes."""

    value: Any
    began: float
    size: int


class Results:
    """Results by key; of too many, or of too many bytes, those that were not used for longest go first.

    `ttl` in seconds of whatever clock `now` is read from; None keeps them until they are pushed out.
    """

    def __init__(self, *, ttl: float | None, most: int, most_bytes: int) -> None:
        self._ttl = ttl
        self._most = most
        self._most_bytes = most_bytes
        self._kept: dict[Key, Kept] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key, now: float) -> Kept | None:
        """The result of `key`, unless it is too old."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        if self._ttl is not None and not 0 <= now - found.began < self._ttl:  # a clock may be set back
            self._bytes -= found.size
            return None
        self._kept[key] = found  # now the one used last
        return found

    def put(self, key: Key, value: Any, now: float) -> None:
        """Keep a result that was asked for at `now`."""
        self._drop(key)
        size = weight(value)
        if size > self._most_bytes:
            return
        self._kept[key] = Kept(value, now, size)
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def forget(self, digest: bytes | None = None) -> None:
        """Forget the results of these arguments, whosever they are; without any, all of them."""
        for key in [key for key in self._kept if digest is None or key[1] == digest]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        gone = self._kept.pop(key, None)
        self._bytes -= gone.size if gone else 0
