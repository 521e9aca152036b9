"""Saying a thing once, and then no more often than is useful."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import NamedTuple

from scrimp.stores.forking import survive_forks

__all__ = ["Since", "Throttle"]

_MOST = 4096
"""Things remembered at once; the one heard of longest ago is forgotten first."""


class Since(NamedTuple):
    """What happened since the last time: how many, and how much in all."""

    events: int
    amount: int


class _State:
    __slots__ = ("amount", "count", "told_at")

    def __init__(self) -> None:
        self.told_at: float | None = None
        self.count = self.amount = 0


class Throttle:
    """Lets the first of each key through, and later ones once `every` seconds have passed since.

    With `at_least`, nothing is let through before that much has come together.
    """

    def __init__(self, every: float, *, at_least: int = 0) -> None:
        self._every = every
        self._at_least = at_least
        self._lock = threading.Lock()
        self._states: dict[Hashable, _State] = {}
        survive_forks(self)

    def admit(self, key: Hashable, now: float, amount: int = 0) -> Since | None:
        """Count one more; what has come together if it is to be told now, else None."""
        with self._lock:
            state = self._states.pop(key, None) or _State()
            self._states[key] = state
            if len(self._states) > _MOST:
                del self._states[next(iter(self._states))]
            state.count += 1
            state.amount += amount
            waited = state.told_at is None or now - state.told_at >= self._every
            if not waited or state.amount < self._at_least:
                return None
            since = Since(state.count, state.amount)
            state.told_at, state.count, state.amount = now, 0, 0
            return since

    def pause(self) -> None:
        """See `Forkable`."""
        self._lock.acquire()

    def resume(self) -> None:
        """See `Forkable`."""
        self._lock.release()

    restart = resume
