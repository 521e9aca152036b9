"""Plain text: its head and tail, its headings, what goes wrong in it, and what was looked for."""

from __future__ import annotations

import re

from scrimp.core.offload.selecting import Wanted, hinted, selected
from scrimp.core.offload.source import Hints, Source

__all__ = ["TROUBLE", "at_the_ends", "reduced"]

TROUBLE = re.compile(
    r"\b(?:error|errors|exception|fail|failed|failure|failures|fatal|panic|traceback|denied|refused|"
    r"timed out|cannot|undefined|segfault|abort(?:ed)?|not found|unable|invalid|warning|warn)\b"
    r"|Error\b|Exception\b|✗|✖|❌|\bFAIL\b|^E  ",
    re.IGNORECASE,
)
"""What a line says that tells of trouble."""

_HEADING = re.compile(
    r"#{1,6} |={3,}|[A-Z][\w ,/&-]{2,60}:$|\*\*[^*]+\*\*:?$|\d+[.)] [A-Z]|<[\w-]+>$|── |\[Tool"
)
_ITEM = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")
_HEAD, _TAIL = 10, 6
_AT_ENDS, _TITLE, _TROUBLE, _LISTED, _PLAIN, _BLANK = 5.0, 4.0, 4.0, 1.2, 1.0, 0.0


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """Lines of a text in some `budget` tokens."""
    scores = hinted(source, hints)
    for at, line in enumerate(source.bare):
        scores[at] += _plain(line)
    at_the_ends(scores, _HEAD, _TAIL, _AT_ENDS)
    return selected(source, Wanted(scores, first=None), budget)


def at_the_ends(scores: list[float], head: int, tail: int, extra: float) -> None:
    """Let the first and last lines count more, those nearest the ends most."""
    total = len(scores)
    for at in range(min(head, total)):
        scores[at] += extra * (1.0 - at / (2 * head))
    for back in range(min(tail, total)):
        scores[total - 1 - back] += extra * (1.0 - back / (2 * tail))


def _plain(line: str) -> float:
    stripped = line.strip()
    if not stripped:
        return _BLANK
    if _HEADING.match(stripped):
        return _TITLE
    score = _LISTED if _ITEM.match(line) else _PLAIN
    return score + _TROUBLE if TROUBLE.search(stripped) else score
