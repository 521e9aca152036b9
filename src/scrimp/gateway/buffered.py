"""The bytes of bodies that requests under way keep, all connections together."""

from __future__ import annotations

from scrimp.core.lazily import lazily

__all__ = ["Buffered"]

_ROOM = 256 * 1024


class Buffered:
    """At most so many bytes at once; for the thread of the event loop alone."""

    def __init__(self, most: int) -> None:
        self._left = most

    @lazily
    def room(self) -> bytearray:
        """Where a connection may put what it reads, until it has looked at it: one place for all of them."""
        return bytearray(_ROOM)

    def take(self, size: int) -> bool:
        """Keep so many bytes more, whether they fit in or not; whether they do. All are to be given back."""
        self._left -= size
        return self._left >= 0

    def give_back(self, size: int) -> None:
        """They are not kept any more."""
        self._left += size
