"""Awaiting what a writer thread makes durable, at little cost.

A commit finishes the futures of many callers at once. `asyncio.wrap_future` wakes the event loop for each of
them, by a system call; here the first wakes it and the others join in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

__all__ = ["awaited"]

T = TypeVar("T")


class _Mailbox:
    """Whom to wake in one event loop."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Future[None]] = deque()
        self._called = False

    def ring(self, waiter: asyncio.Future[None]) -> None:
        """From any thread: wake this one soon."""
        self._ready.append(waiter)
        if not self._called:
            self._called = True
            try:
                waiter.get_loop().call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop is closed: nobody waits there any more
                self._ready.clear()

    def _wake(self) -> None:
        self._called = False  # before looking: whoever comes from now on calls again
        while self._ready:
            waiter = self._ready.popleft()
            if not waiter.done():
                waiter.set_result(None)


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
