"""A page of memory that the processes of one gateway share: how each worker stands, and who writes what.

Claims say which prefix is being written to a cache, by which worker, or was written just now: the others need
not write it again. They are looked at and changed in microseconds, under a lock of the file that the system
takes from a process that dies.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from time import monotonic
from typing import Any

from scrimp.gateway.shared import Claim

__all__ = ["Board", "Handle", "PrefixClaims", "open_memory"]

_ROW = struct.Struct("<QB7x")
"""Of a worker: connections closed so far, and whether it is ready."""

_SLOT = struct.Struct("<16sHB5xd")
"""A key, the worker, what it does, and since when (the system's monotonic clock, alike in all processes)."""

_WAYS, _BUCKETS = 4, 4096
"""Slots that a key may be in, and how many such places there are: where all are taken, nothing is claimed."""

_FREE, _WRITING, _WRITTEN = 0, 1, 2
_GIVEN_UP_AFTER = 120.0
_FORGOTTEN_AFTER = 240.0
"""Less than an entry of the cache lives."""


def open_memory() -> int:
    """A file without a name, for `Board`."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("scrimp-board")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Handle:
    """A descriptor on its way to a process that is being spawned, where it arrives as a number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _arrived, (DupFd(self._number),)


def _arrived(handle: Any) -> int:
    number: int = handle.detach()
    return number


class Board:
    """The page, in the file `memory` (a descriptor, which it keeps)."""

    def __init__(self, memory: int, workers: int) -> None:
        self.memory = memory
        size = workers * _ROW.size + _BUCKETS * _WAYS * _SLOT.size
        os.ftruncate(memory, size)
        self._page = mmap.mmap(memory, size)
        self._workers = workers

    def claims(self, worker: int) -> PrefixClaims:
        """The claims, as one worker makes them."""
        return PrefixClaims(self._page, self._workers * _ROW.size, self.memory, worker)

    def begin(self, worker: int) -> None:
        """A worker is begun (anew): nothing is known of it, and it writes nothing."""
        self._put(worker, 0, 0)
        self.claims(worker).forget()

    def set_ready(self, worker: int, *, ready: bool) -> None:
        """Whether a worker answers calls."""
        self._put(worker, self._row(worker)[0], int(ready))

    def stands(self, worker: int, closed: int) -> None:
        """A worker says how many connections it has closed."""
        self._put(worker, closed, self._row(worker)[1])

    def closed(self, worker: int) -> int:
        """How many connections a worker has closed since it began."""
        return self._row(worker)[0]

    @property
    def ready(self) -> bool:
        """Whether every worker answers calls."""
        return all(self._row(worker)[1] for worker in range(self._workers))

    def close(self) -> None:
        """Let go of it."""
        self._page.close()
        os.close(self.memory)

    def _row(self, worker: int) -> tuple[int, int]:
        closed, ready = _ROW.unpack_from(self._page, worker * _ROW.size)
        return closed, ready

    def _put(self, worker: int, closed: int, ready: int) -> None:
        _ROW.pack_into(self._page, worker * _ROW.size, closed, ready)


class PrefixClaims:
    """Which prefixes are being written. Keys are 16 bytes, and tell accounts apart."""

    def __init__(self, page: mmap.mmap, start: int, memory: int, worker: int) -> None:
        self._page = page
        self._start = start
        self._memory = memory
        self._worker = worker

    def take(self, keys: Sequence[bytes]) -> dict[bytes, Claim]:
        """Claim all of these, unless others have some: then nothing is claimed, and those are told."""
        with self._locked():
            now = monotonic()
            found = {key: claim for key in keys if (claim := self._of_others(key, now)) is not None}
            if not found:
                for key in keys:
                    self._put(key, _WRITING, now)
        return found

    def written(self, keys: Sequence[bytes]) -> None:
        """These can be read now."""
        with self._locked():
            now = monotonic()
            for key in keys:
                self._put(key, _WRITTEN, now)

    def dropped(self, keys: Sequence[bytes]) -> None:
        """Nothing came of writing these."""
        with self._locked():
            for key in keys:
                at = self._find(key)
                if at is not None and self._is_mine(at):
                    self._page[at : at + _SLOT.size] = bytes(_SLOT.size)

    def look(self, key: bytes) -> Claim | None:
        """What another worker does with a prefix. Takes no lock: what it sees may be a moment old."""
        return self._of_others(key, monotonic())

    def forget(self) -> None:
        """This worker writes nothing any more."""
        with self._locked():
            for at in range(self._start, self._start + _BUCKETS * _WAYS * _SLOT.size, _SLOT.size):
                if self._is_mine(at):
                    self._page[at : at + _SLOT.size] = bytes(_SLOT.size)

    def _of_others(self, key: bytes, now: float) -> Claim | None:
        at = self._find(key)
        if at is None:
            return None
        _, worker, state, since = _SLOT.unpack_from(self._page, at)
        if worker == self._worker or now - since > _life(state):
            return None
        return Claim(state == _WRITTEN, since)

    def _is_mine(self, at: int) -> bool:
        _, worker, state, _ = _SLOT.unpack_from(self._page, at)
        return bool(state == _WRITING and worker == self._worker)

    def _find(self, key: bytes) -> int | None:
        """Where a key is."""
        page = self._page
        return next((at for at in self._places(key) if page[at : at + 16] == key and page[at + 18]), None)

    def _put(self, key: bytes, state: int, now: float) -> None:
        at = self._find(key)
        if at is None:
            at = next((place for place in self._places(key) if self._is_over(place, now)), None)
        if at is not None:
            _SLOT.pack_into(self._page, at, key, self._worker, state, now)

    def _is_over(self, at: int, now: float) -> bool:
        _, _, state, since = _SLOT.unpack_from(self._page, at)
        return bool(now - since > _life(state))

    def _places(self, key: bytes) -> range:
        first = self._start + int.from_bytes(key[:4], "little") % _BUCKETS * _WAYS * _SLOT.size
        return range(first, first + _WAYS * _SLOT.size, _SLOT.size)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._memory, fcntl.LOCK_EX, 1)
        try:
            yield
        finally:
            fcntl.lockf(self._memory, fcntl.LOCK_UN, 1)


def _life(state: int) -> float:
    """Seconds that a claim of this kind holds."""
    if state == _FREE:
        return -1.0
    return _GIVEN_UP_AFTER if state == _WRITING else _FORGOTTEN_AFTER
