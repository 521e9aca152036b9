"""Answers that have the same headers as one before: told by one look at their heads, without a parser.

A parser calls back for each header of each answer. An upstream's answers have the same headers in the same
order, and only what some of them say differs.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from scrimp.asgi.shapes import Headers
from scrimp.gateway.one_hop import ONE_HOP

__all__ = ["KnownAnswer", "Told", "known_answer"]

_OK = b"HTTP/1.1 200 OK"
_LINE_END = b"\r\n"
_LENGTH = b"content-length"
_DIGITS = b"([0-9]++)"
_TEXT = b"([!-~][ -~]*+)(?<! )"
"""As most servers write it: what others write is left to the parser."""


Told: TypeAlias = tuple[Headers, dict[bytes, bytes], bytes, bytes]
"""What a parser would have made of a good answer: its headers, the same by small names, its head where it may
go on as it came (else nothing), and its body. No class of its own, which takes longer to make."""


class KnownAnswer:
    """Which headers an answer has; those that frame it or are for one connection alone say the same again."""

    __slots__ = ("_as_it_came", "_lower", "_match", "_names")

    def __init__(self, headers: Headers) -> None:
        """`content-length` is among the headers, and none of them comes twice."""
        self._names = [name for name, _ in headers]
        self._lower = [name.lower() for name in self._names]
        self._as_it_came = ONE_HOP.isdisjoint(self._lower)
        lines = [re.escape(_OK)]
        for lower, (name, value) in zip(self._lower, headers, strict=True):
            said = b"(%b)" % re.escape(value) if lower in ONE_HOP else _TEXT
            lines.append(re.escape(name) + b": " + (_DIGITS if lower == _LENGTH else said))
        self._match = re.compile(_LINE_END.join([*lines, b"", b""])).match

    def read(self, data: bytes) -> Told | None:
        """What `data` says, where that is an answer with these headers, whole and alone; else None."""
        found = self._match(data)
        if found is None:
            return None
        headers: Headers = []
        named: dict[bytes, bytes] = {}
        for name, lower, value in zip(self._names, self._lower, found.groups()):  # noqa: B905 - as many groups
            headers.append((name, value))
            named[lower] = value
        end = found.end()
        if named[_LENGTH] != b"%d" % (len(data) - end):
            return None
        return headers, named, data[:end] if self._as_it_came else b"", data[end:]


def known_answer(data: bytes, headers: Headers) -> KnownAnswer | None:
    """Which headers the answer in `data` has, of which a parser found these.

    None: it may not be good, whole and alone there, or is written in an unusual way.
    """
    names = [name.lower() for name, _ in headers]
    if len(set(names)) < len(names) or _LENGTH not in names:
        return None
    known = KnownAnswer(headers)
    found = known.read(data)
    return known if found is not None and found[0] == headers else None
