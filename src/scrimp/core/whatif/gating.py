"""Fan-out gated: of requests with one cold prefix that go out together, the first goes alone.

An entry can be read once the answer that writes it has begun. A request that would write what another is
just writing waits for that moment, and reads instead. Nothing but its start changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.prompt import Digest
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed

__all__ = ["Gated"]

_FORGET_AFTER = 2 * TTL_SECONDS["1h"]
_LOOKED_THROUGH = 4096


class Gated:
    """Requests wait while what they would write is being written."""

    def __init__(self, longest: float = 60.0) -> None:
        """`longest` is how many seconds a request waits at most."""
        self._longest = longest

    @property
    def name(self) -> str:
        return "gate"

    def describe(self) -> str:
        return f"of requests that would write one prefix at once, one goes first (up to {self._longest:g} s)"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        writing: dict[Digest, float] = {}
        found, touched = [], 0
        for one in calls:
            call, held = one.call, one
            prefixes = [call.prompt.prefixes[place] for place in _shared_places(one)]
            ready = max((writing.get(prefix, 0.0) for prefix in prefixes), default=0.0)
            if call.timed and call.at < ready <= call.at + self._longest:
                touched += 1
                began = ready + max((call.began_at or call.at) - call.at, 0.0)
                call = msgspec.structs.replace(call, at=ready, began_at=began)
                held = msgspec.structs.replace(one, call=call)
            elif call.began_at is not None:
                _note(writing, prefixes, call.at, call.began_at)
            found.append(held)
        return Changed(found, (0,) * len(found), touched=touched)


def _shared_places(one: Measured) -> list[int]:
    """Where a prefix that others may share ends: at every marker, and where tools and system do."""
    prompt, minimum = one.call.prompt, one.call.rules.minimum
    places = {marker.position for marker in prompt.markers}
    if prompt.markers and prompt.static_end >= 0:
        places.add(prompt.static_end)
    return [place for place in sorted(places) if one.ends[place] >= minimum]


def _note(writing: dict[Digest, float], prefixes: Sequence[Digest], at: float, began: float) -> None:
    for prefix in prefixes:
        known = writing.get(prefix)
        if known is None or known + _FORGET_AFTER < at:
            writing[prefix] = began
    if len(writing) > _LOOKED_THROUGH:
        for prefix in [prefix for prefix, ready in writing.items() if ready + _FORGET_AFTER < at]:
            del writing[prefix]
