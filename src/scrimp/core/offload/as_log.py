"""Logs and the output of commands: what went wrong first, each kind of line once, the end of it."""

from __future__ import annotations

import re
from collections import Counter

from scrimp.core.offload.as_text import TROUBLE, at_the_ends
from scrimp.core.offload.selecting import Wanted, hinted, selected
from scrimp.core.offload.source import Hints, Source

__all__ = ["reduced", "template"]

_VARIES = re.compile(
    r"0x[0-9a-fA-F]+|\b[0-9a-f]{7,}\b|\d+(?:[.:,-]\d+)*(?:ms|s|kB|MB|GB|%)?|\"[^\"]*\"|'[^']*'|/\S+"
)
_LEVEL = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|PANIC|SEVERE)\b|Traceback \(most recent|^panic:|^E   |--- FAIL"
)
_VERDICT = re.compile(
    r"\b(?:passed|failed|total|summary|finished|exit code|exited|ok\b.*\ds$|Tests?:|FAIL)\b"
)
_HEAD, _TAIL = 4, 8
_WORST, _TROUBLE, _VERDICTS, _NEW, _KNOWN, _AT_ENDS, _AFTER = 9.0, 5.0, 4.0, 1.5, 0.2, 4.0, 2.5
_SHOWN = 3
"""Lines alike that are worth showing."""

_FOLLOWING = 6
"""Lines after an error that tell of it: traces, hints, the code it is in."""


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """Lines of a log in some `budget` tokens, a count behind the first of lines alike."""
    scores = hinted(source, hints)
    known: Counter[str] = Counter()
    since = _FOLLOWING
    for at, line in enumerate(source.bare):
        kind = template(line)
        repeats, known[kind] = known[kind], known[kind] + 1
        score, bad = _score(line, repeats)
        since = 0 if bad and not repeats else since + 1
        if 0 < since <= _FOLLOWING and line[:1] in (" ", "\t"):
            score += _AFTER / since
        scores[at] += score if line.strip() else 0.0
    at_the_ends(scores, _HEAD, _TAIL, _AT_ENDS)
    return selected(_counted(source, known), Wanted(scores), budget)


def template(line: str) -> str:
    """What lines that differ in numbers, times, paths and quoted words only have in common."""
    return _VARIES.sub("#", line.strip())


def _score(line: str, repeats: int) -> tuple[float, bool]:
    fresh = _NEW if not repeats else _KNOWN / repeats if repeats < _SHOWN else 0.0
    if _LEVEL.search(line):
        return _WORST / (1 + repeats) + fresh, True
    if TROUBLE.search(line):
        return _TROUBLE / (1 + repeats) + fresh, True
    return (_VERDICTS / (1 + repeats) if _VERDICT.search(line) else 0.0) + fresh, False


_ALIKE = 3
"""Lines alike from which on their count is said."""


def _counted(source: Source, known: Counter[str]) -> Source:
    """The first of many lines alike says how many there are."""
    lines = list(source.lines)
    told: set[str] = set()
    for at, line in enumerate(source.bare):
        kind = template(line)
        if known[kind] > _ALIKE and kind not in told and kind.strip("# "):
            told.add(kind)
            lines[at] = f"{lines[at]}  [×{known[kind]} alike]"
    return Source(source.text, lines, source.bare, source.tokens, source.numbered, source.starts)
