"""Ranges of a text: lines or characters, from 1, both ends included.

Lines end at line feeds and nowhere else, and keep them: the ranges `1-10` and `11-20` together are the range
`1-20`, character by character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from scrimp.errors import InputError

__all__ = ["Range", "cut", "lines_of", "read_range"]

_WRITTEN = re.compile(r"(?:(lines?|chars?|characters?)\s*)?(\d+)(?:\s*(-|–|:|to|,)\s*(\d+)?)?", re.IGNORECASE)
_EXAMPLES = 'write it as "120-180" (lines), "120-" (to the end) or "chars 1-4000"'
_MOST_DIGITS = 12


class Range(NamedTuple):
    """From `first` to `last`, from 1, both included; `last` is None for the end of the text."""

    unit: Literal["lines", "chars"]
    first: int
    last: int | None


def lines_of(text: str) -> list[str]:
    """The lines of a text, each with its line feed; together they are the text."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def read_range(written: Any) -> Range:
    """A range as models write them: a text, or a list of two numbers. Raises `InputError`."""
    if isinstance(written, Sequence) and not isinstance(written, (str, bytes)):
        written = "-".join(map(str, written))
    match = _WRITTEN.fullmatch(str(written).strip())
    if match is None or max(len(match[2]), len(match[4] or "")) > _MOST_DIGITS:
        raise InputError(f"range {str(written)[:40]!r} is not understood: {_EXAMPLES}")
    first = int(match[2])
    last = first if match[3] is None else int(match[4]) if match[4] else None
    if first < 1 or (last is not None and last < first):
        raise InputError(f"range {str(written)[:40]!r} holds nothing: ranges begin at 1; {_EXAMPLES}")
    return Range("chars" if (match[1] or "").lower().startswith("char") else "lines", first, last)


def cut(text: str, wanted: Range) -> str:
    """Exactly that part of the text, as far as it goes. Raises `InputError` where the part is behind it."""
    whole: Sequence[str] = lines_of(text) if wanted.unit == "lines" else text
    if wanted.first > max(1, len(whole)):
        raise InputError(f"the text has {len(whole):,} {wanted.unit}, so none from {wanted.first:,} on")
    return "".join(whole[wanted.first - 1 : wanted.last])
