"""A worker's way to the ledger: items go to the supervisor, and its answers come back.

What an event loop submits goes when the loop has nothing else to do, all of it in one message: while it is
busy it may bring more. Should the supervisor be gone, what has no answer is written here: a call that was
billed is written down in any case.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from time import monotonic
from typing import Any, NamedTuple

from scrimp.errors import StoreError
from scrimp.gateway.workers.entries import Answers, Flush, Items, from_clerk, results_of, sent
from scrimp.stores.carrier import Otherwise
from scrimp.stores.ledger_items import Item
from scrimp.stores.promise import Promise, together
from scrimp.stores.writer import ENOUGH, IDLE, wait

__all__ = ["Carrying"]

_MOMENT = 0.002
"""Seconds that what nobody waits for may wait, so that it goes with what comes next."""

_NAME = "the gateway's ledger"


class _Given(NamedTuple):
    item: Item
    awaited: bool
    promise: Promise[Any]
    otherwise: Otherwise


class Carrying:
    """A `Carrier` for the thread of one event loop, and for any other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[bytes], None]) -> None:
        """`send` sends one message to the supervisor."""
        self._loop = loop
        self._thread = threading.get_ident()
        self._send = send
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._out: list[_Given] = []
        self._sent: dict[int, list[_Given]] = {}
        self._waiting = 0
        self._flushing: dict[int, Promise[None]] = {}
        self._called = False
        self._lost = False

    @property
    def waiting(self) -> int:
        """See `Carrier`."""
        return self._waiting

    def submit(self, item: Item, *, awaited: bool, otherwise: Otherwise) -> Promise[Any]:
        """See `Carrier`."""
        promise: Promise[Any] = Promise()
        with self._lock:
            if not self._lost:
                self._out.append(_Given(item, awaited, promise, otherwise))
                self._waiting += 1
                due = not self._called if awaited else len(self._out) == 1
                self._called = self._called or awaited
                if due:
                    self._soon(0.0 if awaited else _MOMENT)
                return promise
        return otherwise(item, awaited)

    def flush(self, timeout: float) -> None:
        """See `Carrier`; not for the thread of the loop."""
        promise: Promise[None] = Promise()
        with self._lock:
            lost = self._lost
            number = next(self._numbers)
            if not lost:
                self._flushing[number] = promise
        if lost:
            return
        self._loop.call_soon_threadsafe(self._ask, number)
        wait(promise, timeout, _NAME)

    def heard(self, message: memoryview) -> None:
        """The supervisor said something."""
        said = from_clerk.decode(message)
        if isinstance(said, Answers):
            self._answered(said)
        else:
            promise = self._flushing.pop(said.number, None)
            if promise is not None:
                promise.keep(None)

    def lost(self) -> None:
        """The supervisor is gone: write what is left here, as everything from now on."""
        with self._lock:
            self._lost = True
            left = [one for given in (*self._sent.values(), self._out) for one in given]
            self._sent, self._out, self._waiting = {}, [], 0
        for one in left:
            written = one.otherwise(one.item, one.awaited)
            written.add_done_callback(partial(_pass, to=one.promise))
        for promise in self._flushing.values():
            promise.keep(StoreError(f"{_NAME}: the supervisor is gone"))
        self._flushing.clear()

    def _answered(self, message: Answers) -> None:
        given = self._sent.pop(message.number, None)
        if given is None:  # it was written here meanwhile
            return
        with self._lock:
            self._waiting -= len(given)
        with together():
            results = results_of(message, [one.item for one in given])
            for one, result in zip(given, results, strict=True):
                one.promise.keep(result)

    def _soon(self, seconds: float) -> None:
        """Have what is there sent, from whichever thread this is."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._go)
        elif seconds:
            self._loop.call_later(seconds, self._go)
        else:
            self._loop.call_soon(self._turned, 0.0)

    def _turned(self, before: float) -> None:
        """The loop began its last turn at `before`: send, unless it is busy and may soon bring more."""
        now = monotonic()
        if now - before > IDLE and 0 < len(self._out) < ENOUGH:
            self._loop.call_soon(self._turned, now)
        else:
            self._go()

    def _go(self) -> None:
        """Send what is there."""
        with self._lock:
            out, self._out = self._out, []
            awaited, self._called = self._called, False
        if out:
            number = next(self._numbers)
            self._sent[number] = out
            self._send(sent(Items.of(number, [one.item for one in out], awaited=awaited)))

    def _ask(self, number: int) -> None:
        self._go()
        self._send(sent(Flush(number)))


def _pass(done: Promise[Any], *, to: Promise[Any]) -> None:
    to.keep(done.exception() or done.result())
