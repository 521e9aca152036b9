"""Counting the texts of a prompt in bounded time, however long they are.

Every text of a request is counted before it goes out, which takes longer than all else that is done with it.
So of a long text parts are counted, evenly spread, and what they hold stands for the whole: over recorded
prompts that is as near to the bill as counting all of it, but for some tenths of a percent in the middle.
The more of a prompt was looked at already, the less the next text matters to the whole, and the less of it
is looked at. Where the texts of one prompt have taken as much work as may be, those that follow are taken to
be like those before. Bills correct what is guessed.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Sampler"]

Numbers = tuple[int, ...]

_FEW = 8_192
"""Characters of a prompt that are looked at as if each text stood alone."""

_WHOLE, _WHOLE_OF_MANY = 4_096, 1_536
"""Characters up to which a text is counted as it is: alone, and after many others."""

_SHARE, _SHARE_OF_MANY = 8, 6
"""Of the characters beyond those, one in so many is looked at. Of many texts as much of each is the best that
can be made of the work; of few, the short ones had better be exact."""

_MOST = 65_536
"""Characters looked at of one text, however long."""

_PART = 512
"""Characters of a part: where parts meet words are cut, and shorter ones would be counted too dear."""

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

    def begin(self) -> None:
        """Another prompt, whose texts may take as much work as those of the one before."""
        self._left = _WORK
        self._looked_at = 0
        self._seen.clear()

    def count(self, text: str, counted: Callable[[str], Numbers]) -> Numbers:
        """What `counted` says of `text`, tokens first, or about that where it is long."""
        seen = self._seen.setdefault(counted, [])
        if self._left <= 0 and seen:
            lengths, numbers = zip(*seen, strict=True)
            return _scaled(sum(lengths), tuple(map(sum, zip(*numbers, strict=True))), len(text))
        whole, share = (_WHOLE, _SHARE) if self._looked_at < _FEW else (_WHOLE_OF_MANY, _SHARE_OF_MANY)
        shown = text if len(text) <= whole else _parts(text, whole + (len(text) - whole) // share)
        found = counted(shown)
        self._looked_at += len(shown)
        self._left -= max(len(shown), _DEAR * found[0])
        seen.append((len(shown), found))
        return found if shown is text else _scaled(len(shown), found, len(text))


def _parts(text: str, characters: int) -> str:
    """Parts of a text, of which the first begins it and the last ends it, one behind the other."""
    amount = min(_MOST, characters) // _PART
    last = len(text) - _PART
    starts = [last * number // (amount - 1) for number in range(amount)]
    return "".join([text[start : start + _PART] for start in starts])


def _scaled(looked_at: int, numbers: Numbers, length: int) -> Numbers:
    """What was found in so many characters, for a text of `length`."""
    return tuple(-(-number * length // max(1, looked_at)) for number in numbers)
