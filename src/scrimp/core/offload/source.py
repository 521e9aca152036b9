"""A tool result as reducers see it: its lines, without the numbers that file viewers put before them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.offload.measuring import tokens_of

__all__ = ["LOOKED_THROUGH", "NO_HINTS", "Hints", "Source", "hints_of", "read_source"]

_NUMBER = re.compile(r"\s*\d+(?:→|\t|[:|-](?=\s|$)) ?")
_NUMBERED_SHARE = 0.8
_LONGEST_BARE = 1_000
"""Characters of a line that are looked at."""

_LONG_LINES = 800
"""Characters a line, on average, from which on a text has no lines to speak of."""

_SENTENCE = re.compile(
    r"(?:(?!\\n).){1,200}?(?:\\{1,8}n|\n|[.!?;。](?=\s)|(?<=[}\]>]),|\Z)|(?:(?!\\n).){1,200}|.", re.DOTALL
)
LOOKED_THROUGH, _AT_THE_END = 262_144, 65_536
"""Characters of a text that are gone through line by line, and how many of them at its end: of a longer one
there is time for as many.
"""

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}|\d{3,}")
_PATH = re.compile(r"(?<![\w.@~+-])[\w@~+-][\w.@~+-]*\.[A-Za-z]\w{0,5}")
_MOST_HINTS = 256
_LONGEST_HINTED = 20_000

_COMMON_WORDS = (
    "the and for with that this from have has not are was were will you your can could should would may "
    "might its it's into onto over under than then them they there their what when where which who "
    "whose why how all any each both more most other some such only own same very just also let's lets "
    "now use used using file files path paths line lines code true false null none get set add new run "
    "first need want look looking check see find show make like here command description pattern output "
    "mode content text name"
)
_COMMON = frozenset(_COMMON_WORDS.split())


class Hints(msgspec.Struct, frozen=True):
    """What whoever called the tool looks for: words in small letters, and names of files among them.

    `sought` are the words of the call itself, `words` those and others that were said around it.
    """

    words: frozenset[str] = frozenset()
    sought: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()


NO_HINTS = Hints()


class Source(msgspec.Struct, frozen=True):
    """A text with its lines (without their line feeds), and those without numbers and colours, clipped.

    `tokens` is its length; `numbered` says that a viewer numbered the lines. Where the lines are a rendering
    of the text, `starts` has the characters of the text at which each begins.
    """

    text: str
    lines: Sequence[str]
    bare: Sequence[str]
    tokens: int
    numbered: bool
    starts: Sequence[int] | None = None

    def rendered(self, lines: Sequence[str], starts: Sequence[int]) -> Source:
        """The same text in other lines, which begin at these characters of it."""
        return Source(self.text, lines, lines, self.tokens, numbered=False, starts=starts)

    def at_the_ends(self) -> Source:
        """The same text with nothing to be seen in the middle of what is long; its lines are as they are."""
        if len(self.text) <= LOOKED_THROUGH:
            return self
        first = _within(self.bare, LOOKED_THROUGH - _AT_THE_END)
        last = max(first, len(self.bare) - _within(self.bare[::-1], _AT_THE_END))
        bare = [*self.bare[:first], *[""] * (last - first), *self.bare[last:]]
        return msgspec.structs.replace(self, bare=bare)

    @property
    def plain(self) -> str:
        """The text without the numbers of its lines."""
        if not self.numbered:
            return self.text
        return "\n".join(_NUMBER.sub("", line, count=1) for line in self.lines)

    @property
    def width(self) -> float:
        """Characters of a token, here."""
        return len(self.text) / self.tokens


def _within(lines: Sequence[str], room: int) -> int:
    """How many lines there is room for."""
    for at, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return at
    return len(lines)


def read_source(text: str, tokens: int | None = None) -> Source:
    """A text, taken apart; `tokens` where that is known. Of one long line its sentences are lines."""
    tokens = tokens_of(text) if tokens is None else tokens
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if len(text) > _LONG_LINES * len(lines):
        found = [(match[0], match.start()) for match in _SENTENCE.finditer(text)]
        pieces = [piece for piece, _ in found]
        return Source(text, pieces, pieces, tokens, numbered=False, starts=[start for _, start in found])
    matches = [_NUMBER.match(line) for line in lines]
    full = sum(1 for line in lines if line.strip())
    numbered = full > 0 and sum(match is not None for match in matches) >= _NUMBERED_SHARE * full
    bare = [
        line[match.end() :] if numbered and match else line
        for line, match in zip(lines, matches, strict=True)
    ]
    bare = [line[:_LONGEST_BARE] for line in bare]
    if "\x1b" in text:
        bare = [_COLOUR.sub("", line) for line in bare]
    return Source(text, lines, bare, tokens, numbered)


def hints_of(asked: Any, *said: str) -> Hints:
    """Hints from the input of a tool use, and from what was said around it."""
    call = [text[:_LONGEST_HINTED] for text in _strings(asked)]
    around = [text[:_LONGEST_HINTED] for text in said]
    files = dict.fromkeys(name for text in (*call, *around) for name in _PATH.findall(text))
    sought = _words(call)
    return Hints(frozenset((*sought, *_words(around))), frozenset(sought), tuple(files)[:_MOST_HINTS])


def _words(texts: Sequence[str]) -> list[str]:
    """Words in small letters that are not everywhere, the first of them."""
    words = dict.fromkeys(word.lower() for text in texts for word in _WORD.findall(text))
    return [word for word in words if word not in _COMMON][:_MOST_HINTS]


def _strings(value: Any) -> list[str]:
    """Every text in a JSON value."""
    found: list[str] = []
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, Mapping):
            left.extend(reversed(list(one.values())))
        elif isinstance(one, (list, tuple)):
            left.extend(reversed(one))
    return found
