"""One writer thread with group commit: whatever was submitted while it wrote is its next batch.

A commit costs as much as dozens of its items, so they join one another where that keeps nobody waiting: what
an event loop submits begins when the loop has nothing else to do, for while it is busy it may bring more; and
what nobody waits for goes with what comes next. Neither waits for longer than a moment or two, and a moment
is longer than dozens of calls keep a loop busy: what they all ask for, and what became of those before, is
one commit. Who blocks a thread is not kept waiting.

The thread is no daemon and lives only while there is something to do: it starts with the first item, waits a
moment for the next ones, and ends. So an interpreter that exits waits for what was submitted and for nothing
else, in children of multiprocessing too, where no atexit handler runs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from time import monotonic
from typing import Any, Generic, TypeAlias, TypeVar

from scrimp.errors import StoreError
from scrimp.stores.promise import Promise, together

__all__ = ["Answers", "Writer", "wait"]

T = TypeVar("T")
R = TypeVar("R")

Entry: TypeAlias = tuple[T | None, Promise[Any]]
"""What to write, or None to be told when everything before is written."""

Answers: TypeAlias = Sequence[Any] | None
"""What came of each item of a batch, in order: what its promise gives, or the error it carries."""

BATCH = 1000
"""Items of one commit at most: beyond this a commit is not what costs."""

LINGER = 1.0
"""Seconds an idle thread waits for more: a new one costs as much as a fast disk's commit."""

MOMENT = 0.02
"""Seconds between looks at what waits while the thread is free: what is there at two of them begins. Also
between looks at whether the interpreter exits."""

ENOUGH = 64
"""Items that begin even if nobody waits for them, or more may come."""

IDLE = 50e-6
"""Seconds that a turn of an event loop takes at most in which there is nothing to do."""


class Writer(Generic[T]):
    """Writes items in batches, in the order submitted.

    `write` makes a batch durable, or raises StoreError for all of it; `after` is called when those who waited
    for it have been told. `fault` is the error for an item that was not written, and why.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Answers],
        *,
        name: str,
        after: Callable[[], None] = lambda: None,
        fault: Callable[[T | None, str], Exception] = lambda _, why: StoreError(why),
    ) -> None:
        self._write = write
        self._after = after
        self._fault = fault
        self._name = name
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._queue: deque[Entry[T]] = deque()
        self._called = False
        self._turn: asyncio.AbstractEventLoop | None = None
        self._asked: asyncio.AbstractEventLoop | None = None
        self._writing = False
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many items wait, those of the batch being written left out."""
        return len(self._queue)

    def submit(self, item: T | None, *, awaited: bool = True) -> Promise[Any]:
        """Write `item` soon; the promise is kept when it is durable, or carries the StoreError.

        What is not `awaited` may take a moment or two longer, until somebody does wait for it. With None for
        an item, the promise is kept when everything before is durable or has failed.
        """
        promise: Promise[Any] = Promise(self._wanted)
        if self._closed:
            self._fail([(item, promise)], f"{self._name} is closed: nothing more is written")
            return promise
        queue = self._queue
        queue.append((item, promise))  # before looking: a thread that ends looks once more, too
        if self._thread is None:
            self._begin()
        if len(queue) >= ENOUGH and not self._called:
            self._wanted(None)
        if awaited:
            self._wanted(_running_loop())
        return promise

    def flush(self, timeout: float) -> None:
        """Wait until all that was submitted is durable or has failed; StoreError after `timeout` seconds."""
        wait(self.submit(None, awaited=False), timeout, self._name)

    def close(self) -> None:
        """Let the thread end when it has written what was submitted; what is submitted later fails."""
        with self._lock:
            self._closed = True
            self._call()

    def pause(self) -> None:
        """Hold the queue still until `resume`: a fork is coming."""
        self._lock.acquire()

    def resume(self) -> None:
        """Go on after `pause`, in the process that called it."""
        self._lock.release()

    def restart(self) -> None:
        """Begin anew in a forked child: queue and thread stayed with the parent, which writes on."""
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._queue.clear()
        self._called, self._turn, self._asked, self._writing = False, None, None, False
        self._thread = None

    def _wanted(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Something is waited for: in a loop, which may bring more, or by a thread that does nothing else."""
        if loop is None:
            with self._lock:
                if self._queue:
                    self._call()
        elif self._turn is not loop:
            self._turn = loop
            loop.call_soon(self._turned, loop, 0.0)

    def _call(self) -> None:
        """Have the thread begin now, or when it is done with the batch before."""
        if not self._called:
            self._called = True
            self._wake.notify()

    def _turned(self, loop: asyncio.AbstractEventLoop, before: float) -> None:
        """A loop began its last turn at `before`: begin, unless it is busy and may soon bring more."""
        now = monotonic()
        if now - before > IDLE and 0 < len(self._queue) < ENOUGH:
            loop.call_soon(self._turned, loop, now)
            return
        with self._lock:
            if self._writing:  # that will give the loop more to do
                self._asked = loop
                return
            self._turn = None
            if self._queue:
                self._call()

    def _written(self) -> None:
        """A batch is done with, and the loop that had nothing to do meanwhile has more to do now."""
        with self._lock:
            self._writing = False
            loop, self._asked = self._asked, None
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._turned, loop, 0.0)
            except RuntimeError:  # it is closed: what it brought is written in a moment
                self._turn = None

    def _begin(self) -> None:
        """See to it that somebody writes: a thread, or where there can be none, this one."""
        with self._lock:
            here = self._thread is None and not self._start()
        if here:
            self._run()

    def _start(self) -> bool:
        """Start the thread; False where the system allows none, or nobody would wait for it any more."""
        if not threading.main_thread().is_alive():
            return False
        self._thread = threading.Thread(target=self._run, name=f"scrimp {self._name}", daemon=False)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
            return False
        return True

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._commit(batch)
                self._written()
                self._after()
        finally:
            self._hand_over()

    def _next(self) -> list[Entry[T]]:
        """The next batch; nothing when the thread is to end, which it then has for everyone."""
        until, waited = monotonic() + LINGER, False
        with self._lock:
            while not (self._called or self._closed) and self._may_wait():
                self._wake.wait(MOMENT)
                if waited or (monotonic() >= until and not self._queue):
                    break
                waited = bool(self._queue)
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH))]
            self._called = bool(self._queue)
            self._writing = bool(batch)
            if not batch:
                self._step_down()
            return batch

    def _may_wait(self) -> bool:
        """Whether this is the writer thread of an interpreter that is not about to exit."""
        return self._thread is threading.current_thread() and threading.main_thread().is_alive()

    def _step_down(self) -> None:
        if self._thread is threading.current_thread():
            self._thread = None

    def _commit(self, batch: Sequence[Entry[T]]) -> None:
        items = [item for item, _ in batch if item is not None]
        answers: Answers = None
        fault = "an unforeseen fault: this was not written"
        try:
            if items:
                answers = self._write(items)
            fault = ""
        except StoreError as error:
            fault = str(error)
        finally:
            with together():
                self._tell(batch, answers, fault)

    def _tell(self, batch: Sequence[Entry[T]], answers: Answers, fault: str) -> None:
        """Keep what those who wait were promised."""
        written = [entry for entry in batch if entry[0] is not None]
        if fault:
            self._fail(written, fault)
        else:
            for (_, promise), found in zip(written, answers or repeat(None), strict=False):
                promise.keep(found)
        if len(written) < len(batch):
            for item, promise in batch:
                if item is None:
                    promise.keep(None)

    def _hand_over(self) -> None:
        """Where a fault of ours ends this thread, the next one takes the queue: nobody waits for ever."""
        left: list[Entry[T]] = []
        with self._lock:
            self._step_down()
            if self._queue and self._thread is None and not self._start():
                left = list(self._queue)
                self._queue.clear()
        self._fail(left, f"{self._name}: the writer failed: this was not written")

    def _fail(self, entries: Iterable[Entry[T]], why: str) -> None:
        for item, promise in entries:
            promise.keep(self._fault(item, why))


def wait(promise: Promise[R], timeout: float, name: str) -> R:
    """What was promised; raises its StoreError, or one of our own after `timeout` seconds."""
    try:
        return promise.result(timeout)
    except TimeoutError:
        raise StoreError(f"{name}: not written within {timeout:g} seconds, may be later") from None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
