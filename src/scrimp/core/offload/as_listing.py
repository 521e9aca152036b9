"""Lists of files and of search hits: each folder and each file is named once, its entries behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from scrimp.core.offload.selecting import Wanted, hinted, selected
from scrimp.core.offload.source import Hints, Source

__all__ = ["HIT", "PATH", "reduced"]

PATH = re.compile(r"(?:[./~]|[A-Za-z]:\\)?[\w@.~+-]*(?:[/\\][\w@.~+ -]+)+[/\\]?$")
"""A line that is a path and nothing else."""

HIT = re.compile(r"((?:[A-Za-z]:)?[^\s:*?\"<>|]*[./\\][^\s:*?\"<>|]*?)(:|-)(\d+)(?:\2|$)(.*)$")
"""A line of a search: path, `:` or `-` (beside a hit), number, text."""

_LINE_LENGTH = 300
_FILES, _HITS, _BESIDE, _FOLDERS, _OTHER = 8.0, 2.0, 0.4, 2.0, 1.0


class _Row(NamedTuple):
    text: str
    start: int
    score: float


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """A list in some `budget` tokens; all of it, put together, where that is enough."""
    hits = sum(HIT.match(line) is not None and not PATH.match(line) for line in source.bare)
    rows = _hits(source) if 2 * hits >= len(source.bare) else _folders(source)
    texts = [row.text for row in rows]
    listed = source.rendered(texts, [row.start for row in rows])
    scores = [score + row.score for score, row in zip(hinted(listed, hints), rows, strict=True)]
    return selected(listed, Wanted(scores), budget)


def _folders(source: Source) -> list[_Row]:
    """Files that stand together in one folder, as one line."""
    rows: list[_Row] = []
    names: list[str] = []
    at = begun = 0
    folder: str | None = None
    for raw, line in zip(source.lines, source.bare, strict=True):
        here, name = _parted(line.strip())
        if here is None or here != folder or sum(map(len, names)) > _LINE_LENGTH:
            rows += _group(folder, names, begun)
            folder, names, begun = here, [], at
        if here is None:
            rows.append(_Row(line, at, _OTHER))
        else:
            names.append(name)
        at += len(raw) + 1
    return rows + _group(folder, names, begun)


def _parted(line: str) -> tuple[str | None, str]:
    """A path as its folder and its name; no folder for what is no path."""
    if not PATH.match(line):
        return None, line
    cut = max(line.rstrip("/\\").rfind("/"), line.rstrip("/\\").rfind("\\")) + 1
    return line[:cut], line[cut:]


def _group(folder: str | None, names: Sequence[str], start: int) -> list[_Row]:
    if folder is None or not names:
        return []
    return [
        _Row(f"{folder}{names[0]}" if len(names) == 1 else f"{folder} {' '.join(names)}", start, _FOLDERS)
    ]


def _hits(source: Source) -> list[_Row]:
    """Hits under the name of their file."""
    rows: list[_Row] = []
    at = 0
    file = None
    for raw, line in zip(source.lines, source.bare, strict=True):
        match = HIT.match(line)
        if match is None:
            rows.append(_Row(line, at, 0.0 if line == "--" else _OTHER))
        else:
            if match[1] != file:
                file = match[1]
                rows.append(_Row(file, at, _FILES))
            sign, text = match[2], match[4]
            rows.append(_Row(f" {match[3]}{sign} {text}", at, _HITS if sign == ":" else _BESIDE))
        at += len(raw) + 1
    return rows
