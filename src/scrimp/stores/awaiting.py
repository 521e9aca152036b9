"""Awaiting what a writer thread makes durable, at little cost.

A commit finishes the futures of many callers at once. `asyncio.wrap_future` wakes the event loop for each of
them, by a system call; here the loop is woken once for all of them, and what they go on to do comes together
again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakKeyDictionary

__all__ = ["awaited", "together"]

T = TypeVar("T")


class _Mailbox:
    """Whom to wake in one event loop."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Future[None]] = deque()
        self._called = False

    def ring(self, waiter: asyncio.Future[None]) -> None:
        """From any thread: wake this one soon."""
        self._ready.append(waiter)
        loop, later = waiter.get_loop(), _round.boxes
        if later is None:
            self.call(loop)
        else:
            later[self] = loop

    def call(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the loop, unless that is under way."""
        if not self._called:
            self._called = True
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop is closed: nobody waits there any more
                self._ready.clear()

    def _wake(self) -> None:
        self._called = False  # before looking: whoever comes from now on calls again
        while self._ready:
            waiter = self._ready.popleft()
            if not waiter.done():
                waiter.set_result(None)


class _Round(threading.local):
    """Whom to call when a thread has finished all it has; None where it does not say."""

    boxes: dict[_Mailbox, asyncio.AbstractEventLoop] | None = None


_round = _Round()


@contextmanager
def together() -> Iterator[None]:
    """Whoever waits for what this thread finishes inside the block is woken at its end."""
    boxes = _round.boxes = {}
    try:
        yield
    finally:
        _round.boxes = None
        for box, loop in boxes.items():
            box.call(loop)


_mailboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Mailbox] = WeakKeyDictionary()


async def awaited(future: Future[T]) -> T:
    """The result of `future`, or its exception. Cancelling the waiting leaves the future as it is."""
    if not future.done():
        loop = asyncio.get_running_loop()
        box = _mailboxes.get(loop)
        if box is None:
            box = _mailboxes[loop] = _Mailbox()
        waiter = loop.create_future()
        ring = box.ring
        future.add_done_callback(lambda _: ring(waiter))
        await waiter
    return future.result()
