"""What another thread will know: a result or an error, once, for threads and event loops that wait for it.

It does what a `concurrent.futures.Future` does that nobody may cancel, for a fraction of the price: every
call waits for a few of them. What it takes to block is only made where a thread does block. A commit keeps
many promises at once: `together` wakes an event loop once for all of them, and what they go on to do comes
together again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["Promise", "kept", "together"]

T = TypeVar("T")

_Waiters: TypeAlias = "list[asyncio.Future[None]]"

_NOT_YET: Any = object()
"""In the place of what is found, until it is."""


def _nothing(_: asyncio.AbstractEventLoop | None) -> None:
    """Whoever keeps a promise need not know that it is waited for."""


class Promise(Generic[T]):
    """A result or an error to come. Any thread may ask; whoever made it keeps it, once.

    `await` it, or block on `result`; giving up waiting changes nothing for anybody else. `wanted` is told of
    either: the event loop that waits, None for a thread that blocks.

    There is no lock: a list is added to and taken from by one thread at a time anyway, and whoever takes a
    callback out of it is the one who calls it.
    """

    __slots__ = ("_callbacks", "_found", "_waiters", "_wanted")

    def __init__(self, wanted: Callable[[asyncio.AbstractEventLoop | None], object] = _nothing) -> None:
        self._wanted = wanted
        self._found: T | BaseException = _NOT_YET
        self._callbacks: list[Callable[[Promise[T]], object]] = []
        self._waiters: list[asyncio.Future[None]] = []

    def done(self) -> bool:
        """Whether there is a result or an error."""
        return self._found is not _NOT_YET

    def result(self, timeout: float | None = None) -> T:
        """The result, waited for; raises the error, or TimeoutError after `timeout` seconds."""
        if self._found is _NOT_YET:
            self._wait(timeout)
        found = self._found
        if isinstance(found, BaseException):
            raise found
        return found

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error, or None where there is a result; waited for as `result` is."""
        if self._found is _NOT_YET:
            self._wait(timeout)
        found = self._found
        return found if isinstance(found, BaseException) else None

    def found(self) -> T | BaseException:
        """The result, or the error, of one that is kept."""
        return self._found

    def add_done_callback(self, callback: Callable[[Promise[T]], object]) -> None:
        """Call `callback` with this promise once it is kept: in the thread that keeps it, or here and now."""
        self._callbacks.append(callback)
        if self._found is not _NOT_YET:
            self._call()

    def keep(self, found: T | BaseException) -> None:
        """Give it its result, or its error, and tell whoever waits."""
        self._found = found
        self._call()

    def settled(self) -> asyncio.Future[None]:
        """To be awaited: done once there is a result or an error, neither of which it tells."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiters.append(waiter)
        if self._found is _NOT_YET:
            self._wanted(loop)
        else:
            self._call()
        return waiter

    def __await__(self) -> Generator[Any, None, T]:
        if self._found is _NOT_YET:
            yield from self.settled()
        return self.result()

    def _wait(self, timeout: float | None) -> None:
        told = threading.Lock()
        told.acquire()
        self.add_done_callback(lambda _: told.release())
        self._wanted(None)
        if not told.acquire(timeout=-1 if timeout is None else max(timeout, 0.0)):
            raise TimeoutError

    def _call(self) -> None:
        """Call everybody who waits, in order; another thread may be doing the same."""
        callbacks, waiters = self._callbacks, self._waiters
        while waiters:
            try:
                waiter = waiters.pop()
            except IndexError:  # the other one was quicker
                break
            _wake(waiter)
        while callbacks:
            try:
                callback = callbacks.pop(0)
            except IndexError:  # the other one was quicker
                return
            try:
                callback(self)
            except Exception:  # the others who wait are told all the same
                logging.getLogger("scrimp").exception("what waited for a store failed")


def kept(found: T | Exception) -> Promise[T]:
    """A promise that has its result, or its error, already."""
    promise: Promise[T] = Promise()
    promise.keep(found)
    return promise


class _Round(threading.local):
    """Whom to wake when a thread has kept all it has to keep; None where it does not say."""

    waiters: _Waiters | None = None


_round = _Round()


@contextmanager
def together() -> Iterator[None]:
    """Whoever awaits what this thread keeps inside the block is woken at its end."""
    waiters: _Waiters = []
    _round.waiters = waiters
    try:
        yield
    finally:
        _round.waiters = None
        loops = {waiter.get_loop() for waiter in waiters}  # mostly one
        for loop in loops:
            _call(loop, [one for one in waiters if one.get_loop() is loop] if len(loops) > 1 else waiters)


def _wake(waiter: asyncio.Future[None]) -> None:
    """Wake a waiter of whichever loop, from whichever thread, now or with others."""
    others = _round.waiters
    if others is None:
        _call(waiter.get_loop(), [waiter])
    else:
        others.append(waiter)


def _call(loop: asyncio.AbstractEventLoop, waiters: _Waiters) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
        if _runs_here(loop):
            _go_on(waiters)
        else:
            loop.call_soon_threadsafe(_go_on, waiters)


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is the thread of the loop, which needs not be woken."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _go_on(waiters: _Waiters) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
