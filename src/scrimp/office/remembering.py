"""A workspace that starts with what earlier processes learned, and leaves to later ones what it learns.

Loaded at the first call, saved by the store's own thread: soon, then about once a minute while there are
calls, and when its middleware or the process ends. Whatever fails here is told once, and no call suffers.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from scrimp.core.learned import Snapshot
from scrimp.core.levers import Learning, Lever
from scrimp.core.workspace import Workspace
from scrimp.errors import ScrimpError, ScrimpWarning
from scrimp.facts.models import Facts
from scrimp.stores.forking import survive_forks
from scrimp.stores.learned import LearnedStore
from scrimp.stores.opening import home_learned
from scrimp.stores.promise import Promise

__all__ = ["Remembering"]

_FIRST_SAVE, _SAVE_EVERY = 5.0, 60.0
"""Seconds; twice as many from save to save. A process that is killed, or a worker's, has no last save."""

_LOCK_SECONDS = 1.0


class Remembering:
    """A workspace, the lock under which it is used, and where it is kept.

    `place` is a file, True for the one in scrimp's home folder, False for nowhere.
    """

    def __init__(self, facts: Facts, clock: Callable[[], float], *, place: str | Path | bool) -> None:
        self.lock = threading.Lock()
        self._facts = facts
        self._clock = clock
        self._place = place
        self.begun: Workspace | None = None
        """The workspace, once anybody has asked for it."""
        self._store: LearnedStore | None = None
        self._kept = Snapshot()
        self._saved_at = 0.0
        self._every = _FIRST_SAVE
        self._told = False
        self._learning: tuple[tuple[str, Learning], ...] = ()
        self._lever_lock = threading.RLock()
        survive_forks(self, first=True)

    def keeps(self, levers: Sequence[Lever], lock: threading.RLock) -> None:
        """What these levers learn is kept as well; they are asked under `lock`."""
        self._learning = tuple((one.name, one) for one in levers if isinstance(one, Learning))
        self._lever_lock = lock

    def workspace(self) -> Workspace:
        """The workspace, which knows what earlier processes learned."""
        found = self.begun
        return self._begun() if found is None else found

    @property
    def weight(self) -> int:
        """Bytes remembered, about."""
        return 0 if self.begun is None else self.begun.weight

    def call_ended(self) -> None:
        """A call was learned from: save now and then."""
        now = self._clock()
        if self._store is not None and not 0.0 <= now - self._saved_at < self._every:
            self._every = min(_SAVE_EVERY, 2.0 * self._every)
            self._save(self._store, now)

    def ended(self) -> None:
        """Nobody calls any more: save what is new."""
        if self._store is not None:
            self._save(self._store, self._clock())

    def pause(self) -> None:
        """See `forking.Forkable`. Levers look while theirs is held: the other order would never end."""
        self._lever_lock.acquire()
        self.lock.acquire()

    def resume(self) -> None:
        """See `forking.Forkable`."""
        self.lock.release()
        self._lever_lock.release()

    def restart(self) -> None:
        """See `forking.Forkable`."""
        self.lock.release()
        self._lever_lock.release()

    def _begun(self) -> Workspace:
        learned = None
        try:
            learned = self._load()
        finally:  # whatever happened, the next call finds a workspace
            made = Workspace(self._facts, learned=learned)
            with self.lock:  # two first calls may both have loaded
                begun = self.begun = self.begun or made
            if learned is not None and begun is made:
                self._recall(learned.levers)
        self._saved_at = self._clock()
        return begun

    def _recall(self, kept: Mapping[str, bytes]) -> None:
        with self._lever_lock:
            for name, lever in self._learning:
                own = f"{name}/"
                with self._lone_faults(name):
                    lever.recall({key.removeprefix(own): kept[key] for key in kept if key.startswith(own)})

    def _of_levers(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        with self._lever_lock:
            for name, lever in self._learning:
                with self._lone_faults(name):
                    found.update({f"{name}/{key}": value for key, value in lever.learned().items()})
        return found

    @contextmanager
    def _lone_faults(self, name: str) -> Iterator[None]:
        """What fails in one lever costs what it learned, and nothing else."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a lever's own failure: all others keep what they learned
            self._tell_once(f"what the lever {name} learned is lost", error)

    def _load(self) -> Snapshot | None:
        if self._place is False:
            return None
        try:
            place = self._place
            store = home_learned(_tell) if place is True else LearnedStore(place, warn=_tell)
            learned = store.load()
        except (ScrimpError, OSError) as error:
            self._tell_once("what earlier processes learned could not be read, and nothing is kept", error)
            return None
        self._store, self._kept = store, learned
        return learned

    def _save(self, store: LearnedStore, now: float) -> None:
        self._saved_at = now
        if self.begun is None or not self.lock.acquire(timeout=_LOCK_SECONDS):
            return
        try:
            learned = self.begun.learned
        finally:
            self.lock.release()
        if self._learning:
            learned = msgspec.structs.replace(learned, levers=self._of_levers())

        def saved(done: Promise[None]) -> None:
            error = done.exception()
            if error is None:
                self._kept = learned
            else:
                self._tell_once("what was learned could not be kept", error)

        store.save(learned.since(self._kept), now=now).add_done_callback(saved)

    def _tell_once(self, what: str, error: BaseException) -> None:
        told, self._told = self._told, True
        if not told:
            _tell(f"{what}: {error if isinstance(error, ScrimpError | OSError) else type(error).__name__}")


def _tell(reason: str) -> None:
    """Warn of what is no failure of a call: where warnings are made errors, this one is not raised."""
    with suppress(ScrimpWarning):
        warnings.warn(f"scrimp: {reason}", ScrimpWarning, stacklevel=2)
