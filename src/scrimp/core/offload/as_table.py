"""Tables: the head, the first and last rows and those looked for, and what each column holds."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.selecting import Wanted, hinted, selected
from scrimp.core.offload.source import Hints, Source

__all__ = ["column", "delimiter_of", "reduced"]

_DELIMITERS = (",", "\t", ";", "|")
_LEAST_ROWS = 8
_SAME_SHARE = 0.9
_SHORT_LINES, _NEVER = 60, 1_000_000
_HEAD_LINES, _FIRST_ROWS, _LAST_ROWS = 2, 6, 3
_HEADER, _FIRST, _ROW = 20.0, 4.0, 0.5
_MOST_COLUMNS, _FEW, _VALUE_LENGTH = 40, 6, 40
_STATISTICS_SHARE = 0.3
_RULE = re.compile(r"[\s|:+-]+$")


def delimiter_of(lines: Sequence[str]) -> str | None:
    """What parts the columns, where nearly all lines have as many of them; None where it is no table."""
    full = [line for line in lines if line.strip()]
    if len(full) < _LEAST_ROWS:
        return None
    for delimiter in _DELIMITERS:
        counts = Counter(line.count(delimiter) for line in full)
        most, times = counts.most_common(1)[0]
        if times >= _SAME_SHARE * len(full) and most >= _least(full, delimiter):
            return delimiter
    return None


def _least(lines: Sequence[str], delimiter: str) -> int:
    """How many a line must have: sentences have commas too, with blanks behind, and long lines have one."""
    joined = sum(line.count(delimiter) for line in lines)
    if delimiter in ",;" and sum(line.count(f"{delimiter} ") for line in lines) > joined / 2:
        return _NEVER
    return 1 if delimiter == "\t" or sum(map(len, lines)) < _SHORT_LINES * len(lines) else 2


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """Rows of a table in some `budget` tokens, with what its columns hold."""
    delimiter = delimiter_of(source.bare) or ","
    about = _columns(source, delimiter, int(budget * _STATISTICS_SHARE))
    scores = hinted(source, hints)
    for at, line in enumerate(source.bare):
        near = at < _FIRST_ROWS or at >= len(scores) - _LAST_ROWS
        scores[at] += _HEADER if at < _HEAD_LINES else _FIRST if near else _ROW if line.strip() else 0.0
    rows = selected(source, Wanted(scores), budget - tokens_of(about))
    return f"{rows}\n{about}" if about else rows


def _columns(source: Source, delimiter: str, budget: int) -> str:
    """What each column holds, as far as there is room."""
    full = [line for line in source.bare if line.strip() and not _RULE.match(line)]
    try:
        rows = list(csv.reader(full, delimiter=delimiter))
    except csv.Error:
        return ""
    if len(rows) < _LEAST_ROWS:
        return ""
    lines = [f"[{len(rows) - 1:,} rows]"]
    for at, name in enumerate(rows[0][:_MOST_COLUMNS]):
        values = [row[at].strip() for row in rows[1:] if at < len(row)]
        if name.strip() or any(values):
            lines.append(f"{name.strip()}: {column(values)}")
    while len(lines) > 1 and tokens_of("\n".join(lines)) > budget:
        lines.pop()
    return "\n".join(lines)


def column(values: Sequence[str]) -> str:
    """What a column holds: the range of numbers, the few values there are, or how many."""
    full = [value for value in values if value]
    numbers = [number for number in map(_number, full) if number is not None]
    counts = Counter(full)
    empty = f", {len(values) - len(full):,} empty" if len(full) < len(values) else ""
    if full and len(numbers) == len(full):
        least, most = min(numbers), max(numbers)
        return f"{least:g} to {most:g}, {len(counts):,} different{empty}"
    if len(counts) <= _FEW:
        said = ", ".join(f"{value[:_VALUE_LENGTH]} ×{times:,}" for value, times in counts.most_common())
        return f"{said or 'nothing'}{empty}"
    return f"{len(counts):,} different{empty}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
