"""Who spends far above their peers, seen as the calls of this process come in."""

from __future__ import annotations

import threading

from scrimp.core.budget import Scope
from scrimp.core.outliers import Outlier, Peers
from scrimp.core.record import Record
from scrimp.stores.forking import survive_forks

__all__ = ["Outliers"]

_DAY = 86_400
_MOST_KINDS = 256


class Outliers:
    """Users among users, and runs among runs of the same name; anew each day (UTC), each told once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = self._until = 0.0
        self._users = Peers()
        self._runs: dict[str, Peers] = {}
        survive_forks(self)

    def add(self, record: Record) -> list[tuple[Scope, Outlier]]:
        """Count a call; those who stand out since it."""
        at = record.started_at
        self._lock.acquire()  # `with` takes three times as long
        try:
            if at >= self._until:
                self._since = at // _DAY * _DAY
                self._until = self._since + _DAY
                self._users, self._runs = Peers(), {}
            return self._found(record) if at >= self._since and record.cost else []
        finally:
            self._lock.release()

    def pause(self) -> None:
        """See `Forkable`."""
        self._lock.acquire()

    def resume(self) -> None:
        """See `Forkable`."""
        self._lock.release()

    restart = resume

    def _found(self, record: Record) -> list[tuple[Scope, Outlier]]:
        tags, found = record.tags, []
        if tags.user:
            outlier = self._users.add(tags.user, record.cost)
            if outlier is not None:
                found.append((Scope("user", tags.user), outlier))
        if tags.run and tags.run_ids:
            # A run is one of the outermost: what is inside counts in it.
            outlier = self._runs_named(tags.run[0]).add(tags.run_ids[0], record.cost)
            if outlier is not None:
                found.append((Scope("run", tags.run[0]), outlier))
        return found

    def _runs_named(self, name: str) -> Peers:
        peers = self._runs[name] = self._runs.pop(name) if name in self._runs else Peers()
        if len(self._runs) > _MOST_KINDS:
            del self._runs[next(iter(self._runs))]
        return peers
