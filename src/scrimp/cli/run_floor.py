"""The least that any caching could have paid for the calls of a run, kept up with while they are made."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import msgspec

from scrimp.core.commands import Billed
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import replay_floor
from scrimp.core.reproduce import reproduce
from scrimp.core.summary import billed_input, measure_source
from scrimp.core.workspace import Asked
from scrimp.wire.response import Usage

__all__ = ["Floor", "FloorKeeper"]

_MOST_POSITIONS = 1_000_000
"""Positions of prompts that are remembered: some hundreds of bytes each."""


class Floor(msgspec.Struct, frozen=True):
    """Picodollars of input: what `calls` calls were billed, and the least that caching could have made it."""

    calls: int
    billed: int
    least: int


class _Seen(msgspec.Struct, frozen=True):
    asked: Asked
    at: float
    usage: Usage


class FloorKeeper:
    """Remembers what was asked and billed; no prompt leaves memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[_Seen] = []
        self._positions = 0

    def billed(self, command: Billed) -> None:
        """See `office.listening.BillListener`."""
        planned = command.planned
        sent = planned.prompt.remarked(planned.plan.markers)
        asked = msgspec.structs.replace(planned.asked, prompt=sent)
        with self._lock:
            self._positions += len(sent)
            if self._positions <= _MOST_POSITIONS:
                self._seen.append(_Seen(asked, planned.situation.now, command.usage))

    def floor(self) -> Floor | None:
        """The floor of every call so far; None where there were none, or too much to remember."""
        with self._lock:
            seen = sorted(self._seen, key=lambda one: one.at)
            if not seen or self._positions > _MOST_POSITIONS:
                return None
        measured = measure_source([_recorded(one, number) for number, one in enumerate(seen)])
        found = reproduce(measured)
        dealt = [msgspec.structs.replace(one.measured, dealt=one.dealt) for one in found]
        return Floor(len(seen), sum(map(billed_input, dealt)), sum(replay_floor(dealt)))


def _recorded(seen: _Seen, number: int) -> RecordedCall:
    asked = seen.asked
    return RecordedCall(
        run="",
        seq=number,
        at=seen.at,
        timed=True,
        day=datetime.fromtimestamp(seen.at, UTC).date(),
        workspace="",
        source="",
        where="",
        model=asked.model,
        prompt=asked.prompt,
        sized=asked.sized,
        rules=asked.rules,
        usage=seen.usage,
        complete=True,
        server_tools=False,
    )
