"""How likely it is that another process has written what a caller marks and this process has never met."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.passes.mark import Situation
from scrimp.core.prompt import Marker

__all__ = ["Elsewhere"]

_FOUND, _TRIED = 1.0, 4.0
"""One in four to begin with: a caller who marks a prefix expects it to be read."""

_MEMORY = 50.0


class Elsewhere:
    """Learned from the bills of requests whose own markers were kept on prefixes met for the first time."""

    def __init__(self) -> None:
        self._found = _FOUND
        self._tried = _TRIED

    @property
    def odds(self) -> float:
        """Probability that such a prefix is read."""
        return self._found / self._tried

    def billed(self, situation: Situation, markers: Sequence[Marker], read: int) -> None:
        """The request with these markers read `read` tokens."""
        own = {marker.position for marker in situation.prompt.markers}
        kept = [m.position for m in markers if m.position in own and m.position > situation.seen]
        if not kept or not situation.elsewhere:
            return
        beyond = situation.ends[situation.seen] if situation.seen >= 0 else 0
        self._found += read > beyond
        self._tried += 1.0
        fade = max(1.0, self._tried / _MEMORY)
        self._found, self._tried = self._found / fade, self._tried / fade
