"""What one worker has written in the ledger, which the supervisor alone writes, and who is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from scrimp.core.budget import Crossing, Held
from scrimp.errors import StoreError
from scrimp.gateway.workers.words import Answer, Answers, Flush, Flushed, Given, said
from scrimp.office.listening import Audience
from scrimp.stores.ledger_items import Kept
from scrimp.stores.promise import Promise
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["Clerk"]


class Clerk:
    """Serves one worker, in the supervisor's loop. `audience` hears of records and of limits that fill up."""

    def __init__(self, ledger: SqliteLedger, audience: Audience, send: Callable[[bytes], None]) -> None:
        """`send` sends one message to the worker."""
        self._ledger = ledger
        self._audience = audience
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._out: list[Answer] = []
        self._called = False
        self._flushes: set[asyncio.Task[None]] = set()

    def take(self, given: list[Given]) -> None:
        """Items came."""
        for one in given:
            item = one.item
            written = self._ledger.give(item, awaited=one.awaited)
            written.add_done_callback(partial(self._written, one.number))
            if isinstance(item, Kept):
                self._audience.recorded(item.record)

    def flush(self, asked: Flush) -> None:
        """Say so when all that came before is durable."""
        task = self._loop.create_task(self._flush(asked.number))
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)

    async def _flush(self, number: int) -> None:
        fault = None
        try:
            await asyncio.to_thread(self._ledger.flush)
        except StoreError as error:
            fault = str(error)
        self._go()  # the answers come first, as they do where nobody is in between
        self._send(said(Flushed(number, fault)))

    def _written(self, number: int, done: Promise[Any]) -> None:
        """An item is written; called by the ledger's thread."""
        result: Any = done.exception() or done.result()
        for crossing in _crossed(result):
            self._audience.crossed(crossing)
        self._out.append(Answer.of(number, result))
        if not self._called:
            self._called = True
            with suppress(RuntimeError):  # the loop is closed: the worker has gone before
                self._loop.call_soon_threadsafe(self._go)

    def _go(self) -> None:
        self._called = False  # before looking: who comes from now on calls again
        out, self._out = self._out, []
        if out:
            self._send(said(Answers(out)))


def _crossed(result: Any) -> tuple[Crossing, ...]:
    """The limits that a hold or a record has brought to one of their fractions."""
    if isinstance(result, Held):
        return result.crossed
    return result if isinstance(result, tuple) else ()
