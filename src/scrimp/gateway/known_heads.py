"""Heads that clients send again and again, told by their bytes: only how long the body is differs.

A parser calls back for each header of each request. What it made of a head holds for the same bytes as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right

__all__ = ["KnownHead", "known_head"]

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*(?=\r\n)", re.IGNORECASE)
_LEAST = [(10 ** (digits - 1) if digits > 1 else 0) + digits for digits in range(1, 16)]
"""Bytes of a body and of the digits of its length together, at least, by how many digits those are."""


class KnownHead:
    """The bytes of a head around the digits of its `content-length`."""

    __slots__ = ("_around", "before", "behind")

    def __init__(self, before: bytes, behind: bytes) -> None:
        self.before = before
        self.behind = behind
        self._around = len(before) + len(behind)

    def read(self, data: bytes | bytearray, size: int | None = None) -> tuple[bytes, bytes] | None:
        """The digits and the body of a request with this head, where `data` is that, whole and alone.

        How long all of it is (`size` bytes, where there is other data behind them) leaves one length of a
        body only, so that the head is known before it is seen: to compare it with what came is quicker than
        to look for the digits.
        """
        around = self._around
        rest = (len(data) if size is None else size) - around
        digits = bisect_right(_LEAST, rest)
        length = b"%d" % (rest - digits)
        if len(length) != digits or not data.startswith(self.before + length + self.behind):
            return None
        end = around + digits
        return length, data[end:] if type(data) is bytes else bytes(memoryview(data)[end:size])


def known_head(data: bytes, length: bytes) -> KnownHead | None:
    """The head of the request in `data`, which a parser found to be whole; None: it may not be alone there.

    `length` is what it says of its body, which it brings in one piece.
    """
    end = data.find(_END) + len(_END)
    found = _LENGTH.findall(data, 0, end)
    place = _LENGTH.search(data, 0, end)
    if place is None or found != [length] or end + int(length) != len(data):
        return None
    return KnownHead(data[: place.start(1)], data[place.end(1) : end])
