"""How two texts that should be equal differ: where first, and what kind of thing it is that changed.

Two values of one thing are told from two texts by comparing what stands at the first difference in both: a
timestamp is one only if both sides hold a timestamp there. Such values are then masked wherever they stand,
so that a text that differs in nothing else is known to be volatile, and one that was rewritten is not.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Kind", "Span", "compare_texts", "likeness"]


class Kind(StrEnum):
    """What kind of change it is."""

    TIMESTAMP = "timestamp"
    UUID = "UUID"
    RANDOM_ID = "random id"
    KEY_ORDER = "key order"
    WHITESPACE = "whitespace"
    EDITED = "edited"
    ADDED = "added"
    REMOVED = "removed"
    ORDER = "order"
    IMAGE = "image"
    THINKING = "thinking dropped"


class Span(NamedTuple):
    """The first difference of two texts: its offset in bytes of UTF-8, and a little of both from there on."""

    kind: Kind
    offset: int
    before: str
    after: str


EXCERPT = 48
"""Characters shown of each side, some of them before the difference."""

_LEAD = 12
_REACH = 80
_MONTHS = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*\.?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\.?\b)?(?:\s?(?:z\b|utc|gmt|[+-]\d{2}:?\d{2}))?"
_DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
    rf"|{_MONTHS}\s+\d{{1,2}}(?:st|nd|rd|th)?,?(?:\s+\d{{4}})?"
    rf"|\d{{1,2}}\s+{_MONTHS}(?:\s+\d{{4}})?"
)
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_TIMESTAMP = re.compile(
    rf"(?:\b{_WEEKDAY},?\s+)?\b(?:{_DATE})(?:(?:,|\s|t|at|_)*{_CLOCK})?(?:\s+\d{{4}}\b)?"
    rf"|(?:\b{_WEEKDAY}\s+)?\b{_CLOCK}"
    rf"|\b{_WEEKDAY}\b"
    r"|\b\d{8}t\d{6}z?\b"
    r"|(?<![\w.])1[0-9]{9}(?:[0-9]{3}(?:[0-9]{3}){0,2}|\.\d+)?(?![\w])",
    re.IGNORECASE,
)
_TIME_START = re.compile(
    r"\d|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)", re.IGNORECASE
)
"""A digit, or the first letters of a month or a weekday: nothing else begins a timestamp."""
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_PLAIN_UUID = re.compile(r"\b[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15}\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]+(?:[_\-.=+/~][A-Za-z0-9]+)*")
_WORDS = re.compile(f"({_WORD.pattern})")
_SHORTEST_ID = 6
_ITEM = re.compile(r"""[^\s,{}\[\]:;"'()]+""")
_SPACE = re.compile(r"\s+")
_ESCAPED_SPACE = re.compile(r"(?:\\[nrt]|\s)+")
_COMMON_LETTERS = "eaoi"
_LONGEST_WORD = 100
_LOOKED_AT = 131_072
"""Characters of a text in which the kind of a difference is looked for."""

_SAME_REST = 0.8
"""Share of the masked texts that must agree for a volatile value to be the whole story."""


def compare_texts(before: str, after: str) -> Span | None:
    """The first difference of two texts, or None where there is none."""
    at = _first_difference(before, after)
    if at is None:
        return None
    start = max(0, at - _LEAD)
    return Span(
        _kind(*_around(before, after, at)),
        len(after[:at].encode("utf-8", "surrogatepass")),
        before[start : start + EXCERPT],
        after[start : start + EXCERPT],
    )


def _around(before: str, after: str, at: int) -> tuple[str, str, int]:
    """Both texts where they begin to differ, so that comparing long ones takes no longer than short ones."""
    start = max(0, at - _LOOKED_AT // 2) if max(len(before), len(after)) > _LOOKED_AT else 0
    stop = start + _LOOKED_AT
    return before[start:stop], after[start:stop], at - start


def likeness(before: str, after: str) -> float:
    """How alike two texts are, by what they begin and end with in common: 0 to 1."""
    shorter = min(len(before), len(after))
    if not shorter:
        return 0.0
    head = _common_start(before, after)
    tail = min(_common_start(before[::-1], after[::-1]), shorter - head)
    return 2 * (head + tail) / (len(before) + len(after))


def _first_difference(before: str, after: str) -> int | None:
    if before == after:
        return None
    return _common_start(before, after)


def _common_start(before: str, after: str) -> int:
    """Characters both begin with, by halving: comparing slices is far quicker than a loop."""
    low, high = 0, min(len(before), len(after))
    while low < high:
        middle = (low + high + 1) // 2
        if before[low:middle] == after[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _kind(before: str, after: str, at: int) -> Kind:
    same_letters = _same_letters(before, after)
    if same_letters and _ESCAPED_SPACE.sub("", before) == _ESCAPED_SPACE.sub("", after):
        return Kind.WHITESPACE
    for kind, pattern in ((Kind.UUID, _UUID), (Kind.UUID, _PLAIN_UUID), (Kind.TIMESTAMP, _TIMESTAMP)):
        if _both_hold(pattern, before, after, at) and _rest_agrees(before, after):
            return kind
    if same_letters and _same_items(before, after):
        return Kind.KEY_ORDER
    if _both_random(before, after, at) and _rest_agrees(before, after):
        return Kind.RANDOM_ID
    return Kind.EDITED


def _same_letters(before: str, after: str) -> bool:
    """Whether both may be the same but for blanks and order: quickly told, by letters no escape has."""
    return all(before.count(letter) == after.count(letter) for letter in _COMMON_LETTERS)


def _both_hold(pattern: re.Pattern[str], before: str, after: str, at: int) -> bool:
    """Whether both texts have a match of `pattern` over the difference, that began in the same place."""
    starts = [_match_over(pattern, text, at) for text in (before, after)]
    return None not in starts and starts[0] == starts[1]


def _match_over(pattern: re.Pattern[str], text: str, at: int) -> int | None:
    low = max(0, at - _REACH)
    for match in pattern.finditer(text, low, min(len(text), at + _REACH)):
        if match.start() <= at < match.end() or (match.end() == at and match.start() < at):
            return match.start()
    return None


def _word_over(text: str, at: int) -> str:
    """The word that stands over a place, as far as it can reach."""
    for match in _WORD.finditer(text, _word_start(text, at), min(len(text), at + _REACH)):
        if match.start() <= at <= match.end():
            return match.group()
    return ""


def _word_start(text: str, at: int) -> int:
    low = max(0, at - _REACH)
    gap = max(text.rfind(space, low, at) for space in (" ", "\n", '"', "\t"))
    return max(low, gap + 1)


def _both_random(before: str, after: str, at: int) -> bool:
    """Whether two words of one shape stand there that no one wrote: long, with digits, another value."""
    words = _word_over(before, at), _word_over(after, at)
    return all(map(_is_random, words)) and _shape(words[0]) == _shape(words[1])


def _is_random(word: str) -> bool:
    core = max(re.split(r"[_\-.=+/~]", word), key=lambda part: (any(c.isdigit() for c in part), len(part)))
    digits = sum(c.isdigit() for c in core)
    letters = len(core) - digits
    mixed = letters > 0 and any(c.isupper() for c in core[1:]) and any(c.islower() for c in core)
    if len(core) < _SHORTEST_ID:
        return False
    return digits >= 2 or (digits >= 1 and len(core) >= 8) or (mixed and len(core) >= 16)


def _shape(word: str) -> tuple[object, ...]:
    """Parts and their lengths; a part without digits is a name and must stay the same."""
    parts = re.split(r"([_\-.=+/~])", word)
    return tuple(
        part if part.isalpha() and len(part) < _SHORTEST_ID else (part.isdigit(), len(part) // 4)
        for part in parts
    )


def _same_items(before: str, after: str) -> bool:
    """Whether both hold the same words, in another order, around brackets: JSON, lists, sets."""
    if len(before) != len(after) and _SPACE.sub("", before) == _SPACE.sub("", after):
        return False
    if not any(mark in before for mark in "{[,"):
        return False
    return sorted(_ITEM.findall(before)) == sorted(_ITEM.findall(after))


def _rest_agrees(before: str, after: str) -> bool:
    """Whether the texts are one text but for volatile values."""
    masked = [_masked(text) for text in (before, after)]
    return masked[0] == masked[1] or likeness(*masked) >= _SAME_REST


def _masked(text: str) -> str:
    text = _without_times(_UUID.sub("<uuid>", text))
    pieces = _WORDS.split(text)
    pieces[1::2] = map(_masked_word, pieces[1::2])
    return "".join(pieces)


def _without_times(text: str) -> str:
    """Every timestamp masked; looked for only where one can begin, which is ten times as quick."""
    parts, done = [], 0
    for start in _TIME_START.finditer(text):
        found = _TIMESTAMP.match(text, start.start()) if start.start() >= done else None
        if found is not None:
            parts += [text[done : found.start()], "<time>"]
            done = found.end()
    return "".join([*parts, text[done:]])


def _masked_word(word: str) -> str:
    """Texts use the same words over and over, but not those that are as long as a text."""
    return _known_word(word) if len(word) <= _LONGEST_WORD else _new_word(word)


def _new_word(word: str) -> str:
    return "<id>" if _is_random(word) else word


_known_word = lru_cache(maxsize=65_536)(_new_word)
