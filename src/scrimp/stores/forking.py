"""Stores and `fork`: files are closed before, and parent and child each open them anew.

SQLite's connections must not cross a fork: its locks belong to a process, but its memory of which locks it
holds is inherited, so that a child would take the parent's locks for its own, and the parent, seeing none of
the child's, could delete a log the child still writes to.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet

__all__ = ["Forkable", "survive_forks"]


class Forkable(Protocol):
    """What can be held still while the process forks."""

    def pause(self) -> None:
        """Finish what is under way, close files, and start nothing until resumed."""
        ...

    def resume(self) -> None:
        """Go on, in the parent."""
        ...

    def restart(self) -> None:
        """Go on, in the child, where no other thread lives."""
        ...


class _Forks:
    """Every store of this process, and what is done with them around a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakSet[Forkable] = WeakSet()
        self._first: WeakSet[Forkable] = WeakSet()
        self._paused: list[Forkable] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child
            )

    def add(self, store: Forkable, *, first: bool) -> None:
        with self._lock:
            (self._first if first else self._known).add(store)

    def _before(self) -> None:
        self._lock.acquire()
        self._paused = [*self._first, *self._known]
        for store in self._paused:
            store.pause()

    def _in_parent(self) -> None:
        for store in self._paused:
            store.resume()
        self._paused = []
        self._lock.release()

    def _in_child(self) -> None:
        for store in self._paused:
            store.restart()
        self._paused = []
        self._lock.release()


_forks = _Forks()


def survive_forks(store: Forkable, *, first: bool = False) -> None:
    """Have `store` paused around every fork of this process, for as long as it lives.

    `first`: before those that may be used while it is held, so that whoever holds it can finish.
    """
    _forks.add(store, first=first)
