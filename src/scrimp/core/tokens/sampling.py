"""Counting the texts of a prompt in bounded time, however long they are.

Every text of a request is counted before it goes out, which takes longer than all else that is done with it.
So of a long text parts are counted, evenly spread, and what they hold stands for the whole: over recorded
prompts that is as near to the bill as counting all of it, but for some tenths of a percent in the middle.
The more of a prompt was looked at already, the less the next text matters to the whole, and the less of it
is looked at. Where the texts of one prompt have taken as much work as may be, those that follow are taken to
be like those before. Bills correct what is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

from scrimp.core.forgetting import forget_oldest

__all__ = ["Sampler"]

Numbers = tuple[int, ...]
_Cut: TypeAlias = Callable[[str, int], re.Match[str]]
"""Finds in a text, from a place on; what it looks for is everywhere."""

_FEW = 4_096
"""Characters of a prompt that are looked at as if each text stood alone."""

_SHORT, _REMEMBERED = 128, 2_048
"""Characters of texts that come again and again, as calls and confirmations do; how many are remembered."""

_MOST = 65_536
"""Characters looked at of one text, however long."""


class _Look(NamedTuple):
    """How texts are looked at: up to `whole` characters as they are, of those beyond one in `share`.

    `part` are the characters of a part; `first` finds the one that begins a text, `cut` any other.
    """

    whole: int
    share: int
    part: int
    first: _Cut
    cut: _Cut


def _look(whole: int, share: int, part: int, blank: int) -> _Look:
    """`blank` are the characters within which a part is moved to a blank, where it begins and where it ends:
    where parts meet words are cut, and short parts would be counted too dear."""
    moved = f"(?:[^ ]{{0,{blank - 1}}}(?= )|)" if blank else ""
    taken = f"(.{{0,{part}}}{moved})"
    first, cut = (cast("_Cut", re.compile(each, re.DOTALL).match) for each in (taken, moved + taken))
    return _Look(whole, share, part, first, cut)


_ALONE, _OF_MANY = _look(4_096, 8, 512, 0), _look(640, 16, 96, 64)
"""A text alone is counted as exactly as can be. Of one of many, short parts show most of what it is like."""

_WORK = 1_048_576
"""Characters of new text counted for one prompt, which may take a third of a second at worst."""

_DEAR = 4
"""Tokens cost work too: as much as so many characters each, about what they have in common text."""


class Sampler:
    """Counts texts of one prompt after the other."""

    def __init__(self) -> None:
        self._left = _WORK
        self._looked_at = 0
        self._seen: dict[Callable[[str], Numbers], list[tuple[int, Numbers]]] = {}
        self._short: dict[tuple[str, Callable[[str], Numbers]], Numbers] = {}

    def begin(self) -> None:
        """Another prompt, whose texts may take as much work as those of the one before."""
        self._left = _WORK
        self._looked_at = 0
        self._seen.clear()

    def count(self, text: str, counted: Callable[[str], Numbers]) -> Numbers:
        """What `counted` says of `text`, tokens first, or about that where it is long."""
        seen = self._seen.get(counted)
        if seen is None:
            seen = self._seen[counted] = []
        if self._left <= 0 and seen:
            lengths, numbers = zip(*seen, strict=True)
            return _scaled(sum(lengths), tuple(map(sum, zip(*numbers, strict=True))), len(text))
        look = _ALONE if self._looked_at < _FEW else _OF_MANY
        length = len(text)
        if length <= _SHORT:
            shown, found = text, self._count_short(text, counted)
        else:
            shown = text if length <= look.whole else _parts(text, look)
            found = counted(shown)
        looked_at = len(shown)
        self._looked_at += looked_at
        work = _DEAR * found[0]
        self._left -= work if work > looked_at else looked_at
        seen.append((looked_at, found))
        return found if shown is text else _scaled(looked_at, found, length)

    def _count_short(self, text: str, counted: Callable[[str], Numbers]) -> Numbers:
        found = self._short.get((text, counted))
        if found is None:
            found = self._short[text, counted] = counted(text)
            forget_oldest(self._short, _REMEMBERED)
        return found


def _parts(text: str, look: _Look) -> str:
    """Parts of a text, of which the first begins it and the last ends it, one behind the other."""
    taken = min(_MOST, look.whole + (len(text) - look.whole) // look.share)
    gaps, last, cut = taken // look.part - 1, len(text) - look.part, look.cut
    parts = [look.first(text, 0)[1]]
    parts += [cut(text, last * number // gaps)[1] for number in range(1, gaps + 1)]
    return "".join(parts)


def _scaled(looked_at: int, numbers: Numbers, length: int) -> Numbers:
    """What was found in so many characters, for a text of `length`."""
    share = looked_at or 1
    return tuple([number and -(-number * length // share) for number in numbers])  # most are none
