"""What is counted in running text: tokens of the published vocabulary, and what later tokenizers split finer.

Every character is first replaced with the name of its kind, so that patterns become fixed strings of a few
bytes; counting those is many times quicker than matching them, and every text of a request is counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits

from scrimp.facts.vocabulary import vocabulary_count

__all__ = ["TEXT_COUNTED", "count_text", "without_runs"]

TEXT_COUNTED = ("vocabulary", "numbers", "indents", "joints", "long_words", "unbroken", "letter_runs")
"""Names of the numbers that `count_text` gives, in order."""


def _table(kinds: Mapping[bytes, str]) -> bytes:
    """The table for `bytes.translate` that names each character's kind; `.` is any other byte."""
    table = bytearray(b"." * 256)
    for name, characters in kinds.items():
        for byte in characters.encode():
            table[byte] = name[0]
    return bytes(table)


_KINDS = _table(
    {b"a": ascii_lowercase, b"A": ascii_uppercase, b"0": digits, b" ": " ", b"\n": "\n", b"\t": "\t"}
)
_LOWERCASE = _table({b"a": ascii_lowercase})
_JOINED = _table({b"x": ascii_letters + digits + "+/=_-"})

_SHORTEST_RUN, _SHORTEST_WORD, _SHORTEST_UNBROKEN = 16, 9, 25
_SMALL_RUN, _CAPITAL_RUN = b"a" * _SHORTEST_RUN, b"A" * _SHORTEST_RUN
_SMALL_RUNS, _CAPITAL_RUNS = (
    [letter.encode() * _SHORTEST_RUN for letter in letters] for letters in (ascii_lowercase, ascii_uppercase)
)
_WORD = b"a" * _SHORTEST_WORD
_WORD_END = _WORD + b"."
_STRETCH = b"x" * _SHORTEST_RUN
"""What has none of these has no runs of a letter, and nothing unbroken."""
_UNBROKEN_START = b"x" * _SHORTEST_UNBROKEN
_UNBROKEN = re.compile(_UNBROKEN_START + b"x*")
_LETTER_RUN = re.compile(rf"([A-Za-z])\1{{{_SHORTEST_RUN - 1},}}")
_NUMBER = re.compile(r" \d")


def count_text(text: str) -> tuple[int, ...]:
    """The counts of `TEXT_COUNTED`, in that order; runs of one letter are left out of all others.

    Numbers are digits after a space, indents are line breaks before blanks, joints are where camelCase joins
    words, long words have 9 small letters or more. Unbroken counts the characters of strings of 25 or more
    letters, digits and `+/=_-`; letter runs those of 16 or more times the same letter.
    """
    data = _bytes(text)
    kinds, joined, runs = data.translate(_KINDS), data.translate(_JOINED), 0
    # `find`, here and below: `in` takes longer, as it asks first whether what is looked for is a number.
    stretched = joined.find(_STRETCH) >= 0
    lengthy = stretched and kinds.find(_SMALL_RUN) >= 0
    if stretched and _has_runs(data, kinds, lengthy=lengthy):
        text, runs = without_runs(text)
        data = _bytes(text)
        kinds, joined = data.translate(_KINDS), data.translate(_JOINED)
        lengthy = True  # what stood before a run and behind it may be one word now
    return (
        vocabulary_count(text),
        kinds.count(b" 0", 0, kinds.rfind(b"0") + 1) if text.isascii() else len(_NUMBER.findall(text)),
        kinds.count(b"\n ") + (kinds.count(b"\n\t") if kinds.find(b"\t") >= 0 else 0),
        kinds.count(b"aA"),
        _long_words(data) if lengthy else kinds.count(_WORD),
        _unbroken(joined) if stretched else 0,
        runs,
    )


def without_runs(text: str) -> tuple[str, int]:
    """`text` without its runs of one letter, and how many letters those had."""
    data = _bytes(text)
    kinds = data.translate(_KINDS)
    if not _has_runs(data, kinds, lengthy=kinds.find(_SMALL_RUN) >= 0):
        return text, 0
    kept = _LETTER_RUN.sub("", text)
    return kept, len(text) - len(kept)


def _has_runs(data: bytes, kinds: bytes, *, lengthy: bool) -> bool:
    """Whether some letter comes often enough in a row; only where words are as long is it looked for.

    `lengthy` says whether some word has as many small letters.
    """
    if lengthy and max(map(data.find, _SMALL_RUNS)) >= 0:
        return True
    return kinds.find(_CAPITAL_RUN) >= 0 and max(map(data.find, _CAPITAL_RUNS)) >= 0


def _long_words(data: bytes) -> int:
    """How many there are where some may be twice as long as that: they are counted by their ends."""
    return (data.translate(_LOWERCASE) + b".").count(_WORD_END)


def _unbroken(joined: bytes) -> int:
    return sum(map(len, _UNBROKEN.findall(joined))) if joined.find(_UNBROKEN_START) >= 0 else 0


def _bytes(text: str) -> bytes:
    """UTF-8, in which the bytes of other characters are never taken for ASCII; half pairs are let through."""
    return text.encode("utf-8", "surrogatepass")
