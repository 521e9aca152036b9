"""Counting the texts of a prompt in bounded time, however long they are.

Of a long text parts are counted, evenly spread, and what they hold stands for the whole. Where the texts of
one prompt have taken as much work as may be, those that follow are taken to be like those before. Recorded
prompts stay far below either bound, and a bill corrects what is guessed beyond it.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Sampler"]

Numbers = tuple[int, ...]

_WHOLE = 131_072
"""Characters up to which a text is counted as it is: two recorded texts of 6,036 are longer."""

_PARTS = 8
_PART = _WHOLE // _PARTS // 2

_WORK = 1_048_576
"""Characters of new text counted for one prompt, which may take a third of a second at worst."""

_DEAR = 4
"""Tokens cost work too: as much as so many characters each, about what they have in common text."""


class Sampler:
    """Counts texts of one prompt after the other."""

    def __init__(self) -> None:
        self._left = _WORK
        self._seen: dict[Callable[[str], Numbers], tuple[int, Numbers]] = {}

    def begin(self) -> None:
        """Another prompt, whose texts may take as much work as those of the one before."""
        self._left = _WORK
        self._seen.clear()

    def count(self, text: str, counted: Callable[[str], Numbers]) -> Numbers:
        """What `counted` says of `text`, tokens first, or about that where it is long."""
        if self._left <= 0 and counted in self._seen:
            return _scaled(*self._seen[counted], len(text))
        if len(text) <= _WHOLE:
            looked_at, numbers = len(text), counted(text)
        else:
            looked_at, numbers = _PARTS * _PART, _of_parts(text, counted)
        self._left -= max(looked_at, _DEAR * numbers[0])
        before, sums = self._seen.get(counted, (0, (0,) * len(numbers)))
        added = tuple(map(sum, zip(sums, numbers, strict=True)))
        self._seen[counted] = before + looked_at, added
        return numbers if looked_at == len(text) else _scaled(looked_at, numbers, len(text))


def _of_parts(text: str, counted: Callable[[str], Numbers]) -> Numbers:
    """The sums over parts of a text, of which the first begins it and the last ends it."""
    starts = [(len(text) - _PART) * number // (_PARTS - 1) for number in range(_PARTS)]
    parts = [counted(text[start : start + _PART]) for start in starts]
    return tuple(map(sum, zip(*parts, strict=True)))


def _scaled(looked_at: int, numbers: Numbers, length: int) -> Numbers:
    """What was found in so many characters, for a text of `length`."""
    return tuple(-(-number * length // max(1, looked_at)) for number in numbers)
