"""Finding words in a kept text: the lines that say most of what was asked, with those around them.

No index and no model: what a text says of a query is the same every time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from math import log
from typing import NamedTuple

from scrimp.core.offload.ranges import lines_of
from scrimp.errors import InputError

__all__ = ["found"]

_MOST = 8_000
"""Characters of an answer, some 2,000 tokens."""

_AROUND = 2
"""Lines shown before and after a match."""

_LONG = 600
"""A line longer than this is shown in pieces of so many characters."""

_OVERLAP = 100
"""Characters of the pieces before and after that are shown with one: words do not end where it does."""

_MATCHES = 20_000
_TERMS = 24
_WHOLE = 100.0
"""What it counts for that the query stands there as it is."""

_WORD = re.compile(r"[\w.@/\\:+-]*\w|\w")


class _Row(NamedTuple):
    """A line, or a piece of a long one."""

    line: int
    piece: int


def found(text: str, query: str) -> str:
    """Lines of `text` around what matches `query`, in the order of the text, each with its number.

    Lines in which the query stands as it is come first, then those with most of its words, rare ones counting
    more. Pieces of long lines say which characters they are. Raises `InputError` where no word is found.
    """
    lines = lines_of(text)
    starts = list(accumulate(map(len, lines), initial=0))
    scores = _scores(text, query, starts)
    if not scores:
        raise InputError(
            f"nothing in the {len(lines):,} lines of this text matches {query[:80]!r}: "
            "try other words, or a range"
        )
    shown: set[_Row] = set()
    left = _MOST
    for row in sorted(scores, key=lambda row: (-scores[row], row)):
        added = [one for one in _with_neighbours(row, lines) if one not in shown]
        size = sum(len(_shown(one, lines, starts)) for one in added)
        if size > left and shown:
            break
        shown.update(added)
        left -= size
    missing = sum(row not in shown for row in scores)
    rest = f"[{missing:,} more lines match]\n" if missing else ""
    return "".join(_rendered(sorted(shown), lines, starts)) + rest


def _scores(text: str, query: str, starts: Sequence[int]) -> dict[_Row, float]:
    """How much each row that matches says of the query."""
    terms = list(dict.fromkeys([query.lower(), *(word.lower() for word in _WORD.findall(query))]))[:_TERMS]
    by_term = {term: _rows(text, term, starts) for term in terms}
    by_term = {term: rows for term, rows in by_term.items() if rows} or _by_parts(text, terms, starts)
    total = len(starts)
    scores: dict[_Row, float] = defaultdict(float)
    for term, rows in by_term.items():
        weight = log(1.0 + total / len(rows)) + (_WHOLE if term == query.lower() else 0.0)
        for row in rows:
            scores[row] += weight
    return scores


def _by_parts(text: str, terms: Sequence[str], starts: Sequence[int]) -> dict[str, set[_Row]]:
    """Where no word is found as it was written: its parts, as `parse` of `parse_config`."""
    parts = dict.fromkeys(part for term in terms for part in re.split(r"[\W_]+", term) if len(part) > 2)
    rows = {part: _rows(text, part, starts) for part in islice(parts, _TERMS)}
    return {part: found for part, found in rows.items() if found}


def _rows(text: str, term: str, starts: Sequence[int]) -> set[_Row]:
    matches = islice(re.finditer(re.escape(term), text, re.IGNORECASE), _MATCHES)
    rows = set()
    for match in matches:
        line = bisect_right(starts, match.start()) - 1
        length = starts[line + 1] - starts[line] if line + 1 < len(starts) else 0
        rows.add(_Row(line, (match.start() - starts[line]) // _LONG if length > _LONG else 0))
    return rows


def _with_neighbours(row: _Row, lines: Sequence[str]) -> Iterator[_Row]:
    """A row and those around it; a piece of a long line stands for itself."""
    if len(lines[row.line]) > _LONG:
        yield row
        return
    for line in range(max(0, row.line - _AROUND), min(len(lines), row.line + _AROUND + 1)):
        if line == row.line or len(lines[line]) <= _LONG:
            yield _Row(line, 0)


def _shown(row: _Row, lines: Sequence[str], starts: Sequence[int]) -> str:
    line = lines[row.line]
    if len(line) <= _LONG:
        return f"{row.line + 1}: {line.rstrip(chr(10))}\n"
    first = max(0, row.piece * _LONG - _OVERLAP)
    piece = line[first : (row.piece + 1) * _LONG + _OVERLAP].rstrip("\n")
    at = starts[row.line] + first
    return f"{row.line + 1} (chars {at + 1}-{at + len(piece)}): {piece}\n"


def _rendered(rows: Sequence[_Row], lines: Sequence[str], starts: Sequence[int]) -> Iterator[str]:
    before = None
    for row in rows:
        if before is not None and row.line > before.line + 1:
            yield "…\n"
        yield _shown(row, lines, starts)
        before = row
