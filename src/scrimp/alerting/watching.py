"""Who spends far above their peers, seen as the calls of this process come in."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from scrimp.core.budget import Scope
from scrimp.core.outliers import Outlier, Peers
from scrimp.core.record import Record
from scrimp.stores.forking import survive_forks

__all__ = ["Outliers"]

_DAY = 86_400
_MOST_KINDS, _MOST_RUNS = 256, 50_000
"""Names of runs, and runs of all names together; of one name there are not as many."""


class Outliers:
    """Users among users, and runs among runs of the same name; anew each day (UTC), each told once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = self._until = 0.0
        self._users = Peers()
        self._runs: dict[str, Peers] = {}
        self._count = 0
        survive_forks(self)

    def add(self, record: Record) -> Sequence[tuple[Scope, Outlier]]:
        """Count a call; those who stand out since it."""
        at = record.started_at
        self._lock.acquire()  # `with` takes three times as long
        try:
            if at >= self._until:
                self._since = at // _DAY * _DAY
                self._until = self._since + _DAY
                self._users, self._runs, self._count = Peers(), {}, 0
            return self._found(record) if at >= self._since and record.cost else ()
        finally:
            self._lock.release()

    def pause(self) -> None:
        """See `Forkable`."""
        self._lock.acquire()

    def resume(self) -> None:
        """See `Forkable`."""
        self._lock.release()

    restart = resume

    def _found(self, record: Record) -> Sequence[tuple[Scope, Outlier]]:
        tags = record.tags
        found: tuple[tuple[Scope, Outlier], ...] = ()
        if tags.user:
            outlier = self._users.add(tags.user, record.cost)
            if outlier is not None:
                found = ((Scope("user", tags.user), outlier),)
        if tags.run and tags.run_ids:
            # A run is one of the outermost: what is inside counts in it.
            outlier = self._add_run(tags.run[0], tags.run_ids[0], record.cost)
            if outlier is not None:
                found = (*found, (Scope("run", tags.run[0]), outlier))
        return found

    def _add_run(self, name: str, number: str, cost: int) -> Outlier | None:
        """Count a call of a run; of too many those go whose name was not heard of for longest."""
        runs = self._runs
        peers = runs[name] = runs.pop(name) if name in runs else Peers()
        before = len(peers)
        outlier = peers.add(number, cost)
        self._count += len(peers) - before
        while len(runs) > _MOST_KINDS or self._count > _MOST_RUNS:
            self._count -= len(runs.pop(next(iter(runs))))
        return outlier
