"""Diffs: which files and places changed, then the changed lines; what stayed the same is left out first."""

from __future__ import annotations

import re

from scrimp.core.offload.selecting import Wanted, hinted, selected
from scrimp.core.offload.source import Hints, Source

__all__ = ["reduced"]

_FILE = re.compile(r"diff --|Index: |rename |new file|deleted file")
_NEW_FILE = re.compile(r"\+\+\+ ")
_HUNK = re.compile(r"@@ ")
_NOISE = re.compile(r"index [0-9a-f]+\.\.|--- |similarity ")
_DEFINED = re.compile(
    r"[+-]\s*(?:(?:export|default|pub|public|private|static|async|final)\s+)*"
    r"(?:def|class|func|function|fn|interface|type|struct|enum|const|let|var)\s+(?:\([^)]*\)\s*)?(\w+)"
)
_SCORES = {"+": 2.0, "-": 1.6}
_FILES, _HUNKS, _DEFINES, _SAME, _EMPTY = 9.0, 3.0, 2.5, 0.3, 0.1


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """Lines of a diff in some `budget` tokens."""
    scores = hinted(source, hints)
    parted = any(_FILE.match(line) for line in source.bare)
    for at, line in enumerate(source.bare):
        named = _NEW_FILE.match(line) is not None
        scores[at] += (_EMPTY if parted else _FILES) if named else _score(line)
    return selected(source, Wanted(scores, first=_DEFINED), budget)


def _score(line: str) -> float:
    if _FILE.match(line):
        return _FILES
    if _HUNK.match(line):
        return _HUNKS
    if _NOISE.match(line):
        return _EMPTY
    changed = _SCORES.get(line[:1])
    if changed is None:
        return _SAME
    if not line[1:].strip():
        return _EMPTY
    return changed + (_DEFINES if _DEFINED.match(line) else 0.0)
