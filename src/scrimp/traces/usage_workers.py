"""Reads many files with every core: processes beside this one, for as much as pays for starting them.

Each worker is told paths by frames on its standard input and answers each on its output with what it found.
One that fails costs time only: what it was told is read here.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import BinaryIO, NamedTuple, cast

import msgspec

from scrimp.facts.models import default
from scrimp.stores.trace_index import Entry, State
from scrimp.traces.usage_entries import read_entry
from scrimp.traces.usage_file import UsageReader

__all__ = ["read_entries", "serve"]

WORTH_A_WORKER = 150_000_000
"""Bytes to read for which another process is started: about a fifth of a second of work."""

_BATCH = 2_000_000
"""Bytes at least that are handed out at once; more while more is left than makes a difference at the end."""

_PORTIONS = 16
_AHEAD = 2
"""Batches a worker is told before it has answered the first: it never waits for this process."""

_UNPACKING = {".xz": 60, ".gz": 15}
"""How many times longer a byte of a compressed file takes."""

_LENGTH = 8
_SERVE = (
    "import sys; from scrimp.traces.usage_workers import serve; serve(sys.stdin.buffer, sys.stdout.buffer)"
)

Advance = Callable[[int], None]
Batches = deque[list[str]]

_paths = msgspec.msgpack.Decoder(list[str])
_found = msgspec.msgpack.Decoder(dict[str, Entry])


def read_entries(
    files: Mapping[str, State],
    known: Mapping[str, Entry],
    *,
    begin: Advance = lambda _: None,
    advance: Advance = lambda _: None,
    cores: int | None = None,
) -> dict[str, Entry]:
    """Read files that are new or have changed, on from where `known` entries of them end.

    `begin(n)` is told how many they are, `advance(n)` of every `n` done, from any thread.
    """
    found: dict[str, Entry] = {}
    facts = default()  # before there are copies of this process, which then have them too
    fresh = sorted((path for path in files if path not in known), key=lambda path: -_work(path, files))
    batches = _batches(fresh, files)
    workers = _start_workers(sum(_work(path, files) for path in fresh), cores or os.cpu_count() or 1)
    begin(len(files))
    drivers = [_Driver(worker, batches, advance) for worker in workers]
    reader = UsageReader()
    for path in files:
        if path in known:
            found[path] = read_entry(reader, path, known[path], facts)
            advance(1)
    while batches:
        with suppress(IndexError):  # a worker took the last one
            for path in batches.popleft():
                found[path] = read_entry(reader, path, None, facts)
                advance(1)
    for driver in drivers:
        found.update(driver.finished())
    for path in fresh:
        if path not in found:
            found[path] = read_entry(reader, path, None, facts)
    return found


def _work(path: str, files: Mapping[str, State]) -> int:
    return files[path].size * _UNPACKING.get(path[-3:], 1)


def _batches(paths: Sequence[str], files: Mapping[str, State]) -> Batches:
    """The paths in portions, the largest files first: what is left for the end is soon done."""
    batches: Batches = deque()
    room, left = 0, sum(_work(path, files) for path in paths)
    for path in paths:
        if room <= 0:
            batches.append([])
            room = max(_BATCH, left // _PORTIONS)
        batches[-1].append(path)
        room -= _work(path, files)
        left -= _work(path, files)
    return batches


class _Worker(NamedTuple):
    """Another process: what it is asked with, what it answers with, and how to wait for its end."""

    asking: BinaryIO
    answering: BinaryIO
    wait: Callable[[], object]


def _start_workers(work: int, cores: int) -> list[_Worker]:
    start = _forked if sys.platform == "linux" and threading.active_count() == 1 else _started
    workers: list[_Worker] = []
    for _ in range(min(cores - 1, work // WORTH_A_WORKER)):
        with suppress(OSError):
            workers.append(start(workers))
    return workers


def _forked(others: Sequence[_Worker]) -> _Worker:
    """A copy of this process, with everything imported: only where no thread can be inside of something."""
    told, asking = os.pipe()
    answering, says = os.pipe()
    number = os.fork()
    if number == 0:
        status = 1
        try:
            os.close(asking)
            for other in others:  # or they would never hear the end of what they are told
                other.asking.close()
            with os.fdopen(told, "rb") as source, os.fdopen(says, "wb") as target:
                serve(source, target)
            status = 0
        finally:
            os._exit(status)  # nothing of this process's own is to be flushed or cleaned up twice
    os.close(told)
    os.close(says)
    return _Worker(os.fdopen(asking, "wb"), os.fdopen(answering, "rb"), partial(os.waitpid, number, 0))


def _started(_: Sequence[_Worker]) -> _Worker:
    import subprocess  # few come here, and it is slow to import  # noqa: PLC0415

    pipe = subprocess.PIPE
    command = [sys.executable, "-c", _SERVE]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)  # noqa: S603 - ourselves
    return _Worker(cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout), process.wait)


class _Driver(threading.Thread):
    """Tells one worker what to read, and hears what it found."""

    def __init__(self, worker: _Worker, batches: Batches, advance: Advance) -> None:
        super().__init__(name="scrimp-usage", daemon=True)
        self._worker = worker
        self._batches = batches
        self._advance = advance
        self._found: dict[str, Entry] = {}
        self.start()

    def run(self) -> None:
        """Keep the worker busy until nothing is left."""
        asking, answering, wait = self._worker
        with suppress(OSError, EOFError, msgspec.DecodeError), answering, asking:
            told: deque[int] = deque()
            while self._tell(asking, told) or told:
                if len(told) >= _AHEAD or not self._batches:
                    self._found.update(_found.decode(_receive(answering)))
                    self._advance(told.popleft())
        wait()

    def finished(self) -> dict[str, Entry]:
        """What the worker found, when it is done or has failed."""
        self.join()
        return self._found

    def _tell(self, asking: BinaryIO, told: deque[int]) -> bool:
        if len(told) >= _AHEAD:
            return True
        try:
            batch = self._batches.popleft()
        except IndexError:
            return False
        _send(asking, msgspec.msgpack.encode(batch))
        told.append(len(batch))
        return True


def serve(asking: BinaryIO, answering: BinaryIO) -> None:
    """Be a worker: read what the files say that one stream names until it ends, and write it to the other."""
    gc.disable()  # what is read lives until the end, and none of it is part of a cycle
    reader, facts = UsageReader(), default()
    for frame in _frames(asking):
        found = {path: read_entry(reader, path, None, facts) for path in _paths.decode(frame)}
        _send(answering, msgspec.msgpack.encode(found))


def _frames(source: BinaryIO) -> Iterator[bytes]:
    with suppress(EOFError):
        while True:
            yield _receive(source)


def _send(target: BinaryIO, frame: bytes) -> None:
    target.write(len(frame).to_bytes(_LENGTH, "big") + frame)
    target.flush()


def _receive(source: BinaryIO) -> bytes:
    """The next frame. Raises EOFError where there is none."""
    head = source.read(_LENGTH)
    length = int.from_bytes(head, "big")
    frame = source.read(length)
    if len(head) < _LENGTH or len(frame) < length:
        raise EOFError
    return frame
