"""Needles: what a text names that cannot be guessed and can be looked for again.

A needle is a path (and the file name it ends with), an identifier in the shape of code (at least eight
characters with an underscore, a digit or a capital inside), a number of five digits or more, a hash of seven
or more, a quoted text of eight to 120 characters, or a whole line of 20 to 300. Plain words are none: that
the model says "implementation" after a tool said so does not show that it needed the tool's words. Needles
are kept as the hashes of their texts, in no order, a bounded number for each block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest
from scrimp.wire.request import Block

__all__ = ["NEEDLES", "NOTHING", "NeedleReader", "names_in", "needles_of", "needles_of_block", "texts_of"]

NEEDLES = "needles"
"""Field of a block that was recorded without its text: the needles that the text held (a frozenset)."""

NOTHING: frozenset[int] = frozenset()

MOST = 4_096
"""Needles kept of one block."""

_BLOCKS_REMEMBERED = 20_000
_LONGEST = 400_000
"""Characters of one text that are looked at."""

_QUOTED = re.compile(r"""["'`]([^"'`\n]{8,120})["'`]""")
_PATH = re.compile(r"(?<![\w.@~+-])[\w.@~+-]*+(?:[/\\][\w.@+-]++)++")
_WORD = re.compile(r"\w{5,}")
_NAMING = re.compile(r"(?=\w*[0-9_]|\w*[a-z][A-Z])\w{8,}|\d{5,}|(?=[0-9a-f]*\d)[0-9a-f]{7}")
_NUMBERED = re.compile(r"^\s*\d+(?:→|\t|:|\|)")
_SHORTEST_PATH, _SHORTEST_NAME = 6, 6
_SHORTEST_LINE, _LONGEST_LINE = 20, 300


def needles_of(text: str) -> frozenset[int]:
    """The needles of a text, at most `MOST`, those that come first."""
    names = names_in(text[:_LONGEST])
    if len(names) <= MOST:
        return frozenset(map(hash, names))
    found: set[int] = set()
    for name in names:
        found.add(hash(name))
        if len(found) >= MOST:
            break
    return frozenset(found)


def needles_of_block(value: Any) -> frozenset[int]:
    """The needles of a content block: of its text, its tool input or its tool result."""
    kept = value.get(NEEDLES) if isinstance(value, Mapping) else None
    if isinstance(kept, frozenset):
        return kept
    found: set[int] = set()
    for text in texts_of(value):
        found |= needles_of(text)
    return frozenset(found)


def texts_of(value: Any) -> Iterator[str]:
    """What a content block says, text by text: thinking, images and documents say nothing here."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        match value.get("type"):
            case "text":
                yield from _strings(value.get("text"))
            case "tool_use":
                yield from _strings(value.get("input"))
            case "tool_result":
                yield from _content(value.get("content"))
            case _:
                pass


class NeedleReader:
    """The needles of blocks, each block read once; of too many those read longest ago are forgotten."""

    def __init__(self) -> None:
        self._known: dict[Digest, frozenset[int]] = {}

    def read(self, block: Block, digest: Digest) -> frozenset[int]:
        """The needles of `block`, whose content `digest` identifies."""
        found = self._known.get(digest)
        if found is None:
            found = self._known[digest] = needles_of_block(block.value)
            forget_oldest(self._known, _BLOCKS_REMEMBERED)
        return found


def names_in(text: str) -> list[str]:
    """What a text names, in the order in which it counts; some of it more than once."""
    names: list[str] = []
    for found in _PATH.findall(text):
        path = found.rstrip(".").replace("\\", "/")
        if _SHORTEST_PATH <= len(path) <= _LONGEST_LINE:
            names.append(path)
            name = path.rpartition("/")[2]
            if "." in name and len(name) >= _SHORTEST_NAME:
                names.append(name)
    names += filter(_NAMING.fullmatch, dict.fromkeys(_WORD.findall(text)))
    names += map(str.strip, _QUOTED.findall(text))
    for line in text.split("\n"):
        if len(line) >= _SHORTEST_LINE:
            said = _NUMBERED.sub("", line, count=1).strip()
            if _SHORTEST_LINE <= len(said) <= _LONGEST_LINE:
                names.append(said)
    return names


def _content(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, (list, tuple)):
        for part in content:
            if isinstance(part, Mapping) and part.get("type") == "text":
                yield from _strings(part.get("text"))


def _strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value, however deep; numbers as they are written."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            left.extend(reversed(list(one.values())))
        elif isinstance(one, (list, tuple)):
            left.extend(reversed(one))
        elif isinstance(one, (int, float)) and not isinstance(one, bool):
            yield str(one)
