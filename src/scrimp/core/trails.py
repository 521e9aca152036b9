"""Which prefixes went by lately, and which prompt a new one takes up.

Most prompts extend one that was sent before. Some take up only the first part of it: agents that put a
reminder last and drop it again, questions about one shared document. How many blocks were dropped says which
end of a prompt is worth writing to the cache.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import msgspec

from scrimp.core.prompt import Digest, Prompt

__all__ = ["Join", "Trails"]

_PREFIXES_REMEMBERED = 200_000
_DROPS_REMEMBERED = 8


class Join(msgspec.Struct, frozen=True):
    """A prompt took up the one that ended with `owner`, less its last `dropped` positions."""

    owner: Digest
    dropped: int


class _Place(msgspec.Struct):
    """The prompt that last had a prefix, and how many positions followed it there."""

    owner: Digest
    following: int


class Trails:
    """Message prefixes of the prompts seen lately, bounded in number."""

    def __init__(self) -> None:
        self._places: dict[Digest, _Place] = {}
        self._last_drop: dict[Digest, int] = {}
        self._drops: dict[Digest, deque[int]] = {}

    def take_up(self, prompt: Prompt) -> Join | None:
        """Remember `prompt` and say which one it takes up; the cost is that of its new positions."""
        end = len(prompt) - 1
        owner = prompt.prefixes[end]
        join = None
        for position in range(end, prompt.static_end, -1):
            prefix = prompt.prefixes[position]
            place = self._places.get(prefix)
            self._places[prefix] = _Place(owner, end - position)
            if place is not None:
                join = Join(place.owner, place.following)
                break
        _forget(self._places)
        return join

    def dropped(self, kind: Digest, prompt: Prompt, join: Join) -> None:
        """`prompt` is the next step of the conversation it joined: remember how much it dropped."""
        self._last_drop[prompt.prefixes[-1]] = join.dropped
        self._drops.setdefault(kind, deque(maxlen=_DROPS_REMEMBERED)).append(join.dropped)
        _forget(self._last_drop)

    def usually_dropped(self, kind: Digest, prompt: Prompt) -> int:
        """How many last positions the next step will drop: as many as this one did, or as its kind does."""
        own = self._last_drop.get(prompt.prefixes[-1]) if len(prompt) else 0
        if own is not None:
            return own
        drops = self._drops.get(kind)
        return Counter(drops).most_common(1)[0][0] if drops else 0


def _forget(table: dict[Digest, Any]) -> None:
    """Bounded memory: the oldest go."""
    while len(table) > _PREFIXES_REMEMBERED:
        del table[next(iter(table))]
