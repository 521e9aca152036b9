"""Where texts are kept that were left out of a context: by the digests of what they are, for some time.

What is kept is prompt text. It is written only where its user has switched offloading on, into a file that
nobody else may read, and it is let go by age, and by size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

import msgspec

__all__ = ["Kept", "Kind", "OffloadStore", "Retention"]


class Kind(IntEnum):
    """What is kept. Numbers are what is written: never changed.

    A `text` is what was left out. Of the others conversations under way depend: a `cut` is what stands in its
    place, a `root` says that a conversation has the tool, a `turn` is what an agent was not shown.
    """

    TEXT = 1
    CUT = 2
    ROOT = 3
    TURN = 4


class Kept(NamedTuple):
    """Something to keep: the digest that names it (16 bytes), what it is, and its bytes."""

    key: bytes
    kind: Kind
    data: bytes


class Retention(msgspec.Struct, frozen=True):
    """How long things are kept: texts for `days` after they were last needed, all else three times as long.

    `most_bytes` is how much is kept in all. Beyond it the oldest go first, texts before all else.
    """

    days: float = 30.0
    most_bytes: int = 2**30

    def since(self, kind: Kind, now: float) -> float:
        """The time from which on things of a kind are kept; epoch seconds."""
        return now - self.days * _DAY * (1 if kind is Kind.TEXT else _LONGER)

    @property
    def renewed_after(self) -> float:
        """Seconds after which finding something again is written down: what is needed stays."""
        return min(_DAY, self.days * _DAY / 4)


_DAY = 86_400.0
_LONGER = 3


class OffloadStore(Protocol):
    """One store. Times are epoch seconds; all of it may be called from any thread."""

    def put(self, kept: Sequence[Kept], now: float) -> None:
        """Keep all of these; returns when they are durable. What is known stays, and is as new.

        Raises `StoreError` where they cannot be written, or are more than the store keeps in all.
        """

    def put_soon(self, kept: Sequence[Kept], now: float) -> None:
        """Keep all of these, soon; nobody is told where that fails."""

    def get(self, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        """What of these there is, by key; what is too old is not there any more. Raises `StoreError`."""

    def close(self) -> None:
        """Write what is to be written, then close."""
