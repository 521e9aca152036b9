"""Heads that clients send again and again, told by their bytes: only how long the body is differs.

A parser calls back for each header of each request. What it made of a head holds for the same bytes as well.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["KnownHead", "known_head"]

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*(?=\r\n)", re.IGNORECASE)
_MOST_DIGITS = 15


class KnownHead(NamedTuple):
    """The bytes of a head around the digits of its `content-length`."""

    before: bytes
    behind: bytes

    def read(self, data: bytes) -> tuple[bytes, bytes] | None:
        """The digits and the body of a request with this head, where `data` is that, whole and alone."""
        if not data.startswith(self.before):
            return None
        start = len(self.before)
        end = data.find(b"\r", start)
        length = data[start:end]
        if not data.startswith(self.behind, end) or not length.isdigit() or len(length) > _MOST_DIGITS:
            return None
        body = data[end + len(self.behind) :]
        return (length, body) if len(body) == int(length) else None


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
