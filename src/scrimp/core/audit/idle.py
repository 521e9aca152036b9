"""How entries came to expire: what they were written for, and when somebody came back to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from scrimp.core.audit.walk import lane_of
from scrimp.core.cache import TTL_SECONDS
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.wire.markers import TTL

__all__ = ["FIXES_OF_IDLE", "Idle", "IdleTimes"]

Idle = Literal["5m, back within 1h", "back after 1h"]
"""How long nobody came back to an entry that had expired, and what it was written for."""

FIXES_OF_IDLE: Mapping[Idle, str] = {
    "5m, back within 1h": "Write for an hour where people come back within one, or keep the entry alive.",
    "back after 1h": "No lifetime is that long: compact (/compact in Claude Code) before the break, or start "
    "the next task in a new session.",
}


class IdleTimes:
    """How long each call came after the last one of its conversation, and what that had written for."""

    def __init__(self, calls: Iterable[Measured]) -> None:
        self._known: dict[str, tuple[float, TTL]] = {}
        last: dict[tuple[str, str], RecordedCall] = {}
        for one in calls:
            call = one.call
            before = last.get((call.run, lane_of(call)))
            if before is not None and call.timed and before.prompt.markers:
                self._known[call.where] = (call.at - before.at, before.prompt.markers[-1].ttl)
            last[call.run, lane_of(call)] = call

    def of(self, where: str) -> Idle | None:
        """What is known of the call at `where`, had what it needed expired."""
        gap, ttl = self._known.get(where, (0.0, "5m"))
        if gap > TTL_SECONDS["1h"]:
            return "back after 1h"
        return "5m, back within 1h" if gap >= TTL_SECONDS["5m"] and ttl == "5m" else None
