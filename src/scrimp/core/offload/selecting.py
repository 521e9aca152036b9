"""The lines that matter most, in their order, within a budget; what lies between them is named by its lines.

`[… 120-480: parse_config, Loader.load]` stands for lines 120 to 480, which hold these names among others:
what a model needs of them it gets by one fetch of the range, or of what it looks for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import log

import msgspec

from scrimp.core.offload.source import Hints, Source

__all__ = ["Wanted", "hinted", "selected"]

_LONGEST = 360
"""Characters of a line that are shown; what is cut off a longer one is counted."""

_MARK = 18
"""Characters of the mark of a gap, about."""

_CLOSED = 2
"""Gaps of so many marks are closed."""

_NAMES_SHARE = 0.4
"""Of the budget goes to the names in the marks of gaps."""

_SOUGHT, _HINT, _MOST_HINTS = 9.0, 5.0, 10.0
_TOO_COMMON = 0.15
_NAME = re.compile(
    r"(?<![\w@~+-])[\w@~+-]*+(?:/[\w.@~+-]++)++|\b[A-Za-z_]\w*+(?:\.\w++)++"
    r"|\b(?=\w*[0-9_]|\w*[a-z][A-Z])[A-Za-z]\w{4,}|\b\d{4,}\b"
)
_LONGEST_NAME, _MOST_NUMBERS = 80, 8
_SHORTEST_BLOB = 72
_BLOB = re.compile(r"[A-Za-z0-9+/=]{72,}")
"""What was encoded to be text: it says nothing to a reader, and its pieces are no names."""

_WORD = re.compile(r"[a-z_][a-z0-9_]{2,}|\d{3,}", re.IGNORECASE)


class Wanted(msgspec.Struct, frozen=True):
    """How much each line is wanted: `scores` in the order of the lines, 0 and below only to fill up.

    `names` says whether marks of gaps name what is in them, `first` which names of a line count most.
    """

    scores: Sequence[float]
    names: bool = True
    first: re.Pattern[str] | None = None


def hinted(source: Source, hints: Hints) -> list[float]:
    """How much each line says of what is looked for; words that are everywhere say nothing."""
    found: Counter[str] = Counter()
    by_line: list[set[str]] = []
    for line in source.bare:
        words = {word for word in map(str.lower, _WORD.findall(line)) if word in hints.words}
        by_line.append(words)
        found.update(words)
    total = max(1, len(by_line))
    weights = {
        word: (_SOUGHT if word in hints.sought else _HINT) * log(total / count) / log(total + 1)
        for word, count in found.items()
        if count <= max(3, _TOO_COMMON * total)
    }
    return [min(_MOST_HINTS, sum(weights.get(word, 0.0) for word in words)) for words in by_line]


def selected(source: Source, wanted: Wanted, budget: int) -> str:
    """Lines of `source` in some `budget` tokens, with marks for what lies between."""
    room = int(budget * source.width)
    kept = _chosen(source, wanted, int(room * (1.0 - _NAMES_SHARE)) if wanted.names else room)
    gaps = _gaps(kept, len(source.lines))
    shown = [_clipped(source.lines[at]) if at in kept else "" for at in range(len(source.lines))]
    left = room - sum(len(line) + 1 for line in shown if line) - _MARK * len(gaps)
    names = _named(source, wanted, kept, gaps, left) if wanted.names else {}
    marks = {first: (last, _mark(source, first, last, names.get(first))) for first, last in gaps}
    return "\n".join(_rendered(shown, marks))


def _chosen(source: Source, wanted: Wanted, room: int) -> set[int]:
    """Lines by score, as many as there is room for; short gaps are closed, their marks cost as much."""
    order = sorted(range(len(wanted.scores)), key=lambda at: (-wanted.scores[at], at))
    kept: set[int] = set()
    left = room
    for at in order:
        if wanted.scores[at] <= 0 or left <= 0:
            break
        if _is_blob(source.lines[at]):
            continue
        beside = (at - 1 in kept) + (at + 1 in kept)
        cost = min(len(source.lines[at]), _LONGEST) + 1 + _MARK * (1 - beside)
        if cost <= left:
            kept.add(at)
            left -= cost
    for first, last in _gaps(kept, len(source.lines)):
        size = sum(min(len(line), _LONGEST) + 1 for line in source.lines[first : last + 1])
        if size <= _CLOSED * _MARK:
            kept.update(range(first, last + 1))
    return kept


def _gaps(kept: set[int], total: int) -> list[tuple[int, int]]:
    """The runs of lines that are not kept, as first and last."""
    gaps = []
    before = -1
    for at in (*sorted(kept), total):
        if at > before + 1:
            gaps.append((before + 1, at - 1))
        before = at
    return gaps


def _clipped(line: str) -> str:
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST - 20]}… [+{len(line) - _LONGEST + 20} chars]"


def _named(
    source: Source, wanted: Wanted, kept: set[int], gaps: Sequence[tuple[int, int]], left: int
) -> dict[int, str]:
    """Names in the gaps that stand nowhere in what is kept, each gap its share, by its first line."""
    known = {name for at in kept for name in _NAME.findall(source.bare[at])}
    hidden = sum(len(source.bare[at]) for first, last in gaps for at in range(first, last + 1)) or 1
    named = {}
    for first, last in gaps:
        lines = source.bare[first : last + 1]
        share = left * sum(map(len, lines)) // hidden
        chosen = _few(_by_worth(lines, wanted.first, known), share)
        known.update(chosen)
        if chosen:
            named[first] = ", ".join(chosen)
    return named


def _by_worth(lines: Sequence[str], first: re.Pattern[str] | None, known: set[str]) -> list[str]:
    """Names in some lines: what is defined there, then those met most often, then in their order."""
    defined = [match[1] for line in lines if first is not None and (match := first.match(line))]
    counts: Counter[str] = Counter()
    for line in lines:
        if not _is_blob(line):
            counts.update(name for name in _NAME.findall(line) if name not in known)
    often = sorted(counts, key=lambda name: -counts[name])
    return list(dict.fromkeys([*(name for name in defined if name and name not in known), *often]))


def _is_blob(line: str) -> bool:
    return len(line) >= _SHORTEST_BLOB and _BLOB.search(line) is not None


def _few(names: Sequence[str], room: int) -> list[str]:
    chosen = []
    numbers = 0
    for name in names:
        numbers += name.isdecimal()
        if (
            len(name) + 2 > room
            or len(name) > _LONGEST_NAME
            or (name.isdecimal() and numbers > _MOST_NUMBERS)
        ):
            continue
        room -= len(name) + 2
        chosen.append(name)
    return chosen


def _mark(source: Source, first: int, last: int, names: str | None) -> str:
    """What stands for the lines from `first` to `last`: the range that brings them, and what they name."""
    if source.starts is None:
        where = f"{first + 1}-{last + 1}" if last > first else f"{first + 1}"
    else:
        end = source.starts[last + 1] if last + 1 < len(source.starts) else len(source.text)
        where = f"chars {source.starts[first] + 1}-{end}"
    return f"[… {where}: {names}]" if names else f"[… {where}]"


def _rendered(shown: Sequence[str], marks: dict[int, tuple[int, str]]) -> Iterator[str]:
    at = 0
    while at < len(shown):
        last, mark = marks.get(at, (at, ""))
        yield mark or shown[at]
        at = last + 1
