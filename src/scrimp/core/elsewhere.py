"""How likely it is that another process has written what a caller marks and this process has never met."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.passes.mark import Situation
from scrimp.core.prompt import Marker

__all__ = ["Elsewhere", "Tries"]

_MEMORY = 50.0


class Tries(msgspec.Struct, frozen=True):
    """How often such a prefix was found, of how many tries; older ones have faded.

    One in four to begin with: a caller who marks a prefix expects it to be read.
    """

    found: float = 1.0
    tried: float = 4.0

    @property
    def sound(self) -> bool:
        """Whether this can have been counted."""
        return 0.0 <= self.found <= self.tried and 1.0 <= self.tried <= _MEMORY + 1.0


class Elsewhere:
    """Learned from the bills of requests whose own markers were kept on prefixes met for the first time."""

    def __init__(self, learned: Tries | None = None) -> None:
        learned = learned or Tries()
        self._found = learned.found
        self._tried = learned.tried

    @property
    def learned(self) -> Tries:
        """What to keep for the next process."""
        return Tries(self._found, self._tried)

    @property
    def odds(self) -> float:
        """Probability that such a prefix is read."""
        return self._found / self._tried

    def billed(self, situation: Situation, markers: Sequence[Marker], read: int) -> None:
        """The request with these markers read `read` tokens."""
        if not situation.elsewhere:
            return
        own = {marker.position for marker in situation.prompt.markers}
        kept = [m.position for m in markers if m.position in own and m.position > situation.seen]
        if not kept:
            return
        beyond = situation.ends[situation.seen] if situation.seen >= 0 else 0
        self._found += read > beyond
        self._tried += 1.0
        fade = max(1.0, self._tried / _MEMORY)
        self._found, self._tried = self._found / fade, self._tried / fade
