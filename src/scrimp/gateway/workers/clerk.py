"""What workers have written in the ledger, which the supervisor alone writes, and who is told of it.

One thread does all of it: it reads what every worker hands in, writes that as one commit, and answers each
worker with one message; what comes meanwhile is the next commit. A call costs it no turn of an event loop, no
promise, and no change of threads.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, TypeAlias

import msgspec

from scrimp.core.budget import Crossing, Held
from scrimp.errors import StoreError
from scrimp.gateway.workers.channel import Pieces, framed
from scrimp.gateway.workers.entries import Flush, Flushed, Items, answers_to, sent, to_clerk, written
from scrimp.office.listening import Audience
from scrimp.stores.ledger_items import Item
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["Clerk"]

_MOMENT = 0.03
"""Seconds that what nobody waits for may wait, so that it shares a commit with what comes next."""

_ENOUGH = 64
"""Items that begin even if nobody waits for them, or more may come."""

_REST = 0.1
"""Seconds without work after a fault."""

_AT_ONCE = 2**18
"""Bytes read from a worker before others have their turn."""


class Clerk:
    """Serves all workers. `audience` hears of records and of limits that fill up, in the clerk's thread.

    `fault` is told of a failure of ours: what it was about, and the error.
    """

    def __init__(
        self, ledger: SqliteLedger, audience: Audience, fault: Callable[[str, BaseException], object]
    ) -> None:
        self._ledger = ledger
        self._audience = audience
        self._fault = fault
        self._selector = selectors.DefaultSelector()
        self._bell, self._rings = socket.socketpair()
        self._selector.register(self._rings, selectors.EVENT_READ)
        self._new: deque[_Line] = deque()
        self._asked: list[_Asked] = []
        self._items = 0
        self._since: float | None = None
        self._due = False
        self._thread: threading.Thread | None = None
        self._over = False

    def serve(self, line: socket.socket, lost: Callable[[], object]) -> None:
        """Take what a worker hands in over `line`, which is the clerk's from now on.

        `lost` is called in the loop that runs here, once the worker is gone and all it said was read.
        """
        self._new.append(_Line(line, self._selector, asyncio.get_running_loop(), lost))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="scrimp clerk")
            self._thread.start()
        self._bell.send(b"n")

    def close(self) -> None:
        """Write what was handed in, and answer nobody any more."""
        if self._over:
            return
        self._over = True
        self._bell.send(b"e")
        if self._thread is not None:
            self._thread.join()
        for key in tuple(self._selector.get_map().values()):
            if key.data is not None:
                key.data.close()
        for one in (self._bell, self._rings, self._selector):
            one.close()

    def _run(self) -> None:
        while not self._over:
            self._safely(self._serve_for_a_while)
        self._safely(self._finish)

    def _safely(self, work: Callable[[], None]) -> None:
        """Whatever fails, workers are served all the same; a fault that stays does not take all of a core."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - our own failure: without this thread nothing would be written
            self._fault("writing for the workers failed, and goes on", error)
            sleep(_REST)

    def _serve_for_a_while(self) -> None:
        while not self._over:
            self._take(self._patience())
            if self._is_due():
                self._take_more()
                self._commit()

    def _finish(self) -> None:
        try:
            while self._take(0.0):
                pass
        finally:
            self._commit()

    def _patience(self) -> float | None:
        """Seconds to wait for more."""
        return None if self._since is None else max(self._since + _MOMENT - monotonic(), 0.0)

    def _is_due(self) -> bool:
        """Whether to begin: somebody waits, there is a lot to do, or a moment is over."""
        if self._due or self._items >= _ENOUGH:
            return True
        return self._since is not None and monotonic() - self._since >= _MOMENT

    def _take_more(self) -> None:
        """What is there by now goes with what is to be written."""
        while self._items < _ENOUGH and self._take(0.0):
            pass

    def _take(self, seconds: float | None) -> bool:
        """Wait for what workers hand in, and take it; whether there was any."""
        ready = self._selector.select(seconds)
        for key, events in ready:
            line: _Line | None = key.data
            if line is None:
                self._heed()
                continue
            if events & selectors.EVENT_WRITE:
                line.go_on()
            if events & selectors.EVENT_READ:
                self._note(line, line.read())
        return bool(ready)

    def _heed(self) -> None:
        """Somebody rang."""
        self._rings.recv(_AT_ONCE)
        while self._new:
            self._new.popleft().begin()

    def _note(self, line: _Line, messages: Sequence[Items | Flush]) -> None:
        for message in messages:
            items = message.items() if isinstance(message, Items) else ()
            self._asked.append((line, message, items))
            self._items += len(items)
            self._due = self._due or isinstance(message, Flush) or message.awaited
        if self._since is None and messages:
            self._since = monotonic()

    def _commit(self) -> None:
        """Write all that was asked for, and say what came of it."""
        asked, self._asked = self._asked, []
        self._items, self._since, self._due = 0, None, False
        items = [item for _, _, items in asked for item in items]
        results: Sequence[Any] = [StoreError("an unforeseen fault: this was not written")] * len(items)
        try:
            if items:
                results = self._ledger.give(items)
        except StoreError as error:
            results = [error] * len(items)
        finally:
            self._tell_of_limits(results)
            _answer(asked, results)
        for record in written(items):
            self._audience.recorded(record)

    def _tell_of_limits(self, results: Sequence[Any]) -> None:
        for result in results:
            for crossing in _crossed(result):
                self._audience.crossed(crossing)


class _Line:
    """The way to one worker; for the clerk's thread."""

    def __init__(
        self,
        line: socket.socket,
        selector: selectors.BaseSelector,
        loop: asyncio.AbstractEventLoop,
        lost: Callable[[], object],
    ) -> None:
        self._line = line
        self._selector = selector
        self._loop = loop
        self._lost = lost
        self._pieces = Pieces()
        self._left = b""
        line.settimeout(0.0)

    def begin(self) -> None:
        """Look at it from now on."""
        self._selector.register(self._line, selectors.EVENT_READ, self)

    def read(self) -> list[Items | Flush]:
        """What came. A worker that is gone, or says what cannot be understood, is not read again."""
        try:
            data = self._line.recv(_AT_ONCE)
            if data:
                return [to_clerk.decode(message) for message in self._pieces.add(data)]
        except BlockingIOError:
            return []
        except (OSError, msgspec.MsgspecError):
            pass
        self.close()
        return []

    def send(self, messages: bytes) -> None:
        """Send answers; a worker that is gone needs none, and one that does not read yet gets them later."""
        self._left += messages
        self.go_on()

    def go_on(self) -> None:
        """Send what is left, as far as it can be taken in."""
        try:
            self._left = self._left[self._line.send(self._left) :]
        except BlockingIOError:
            pass
        except OSError:  # that it is gone shows where it is read
            self._left = b""
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._left else 0)
        if self._selector.get_key(self._line).events != wanted:
            self._selector.modify(self._line, wanted, self)

    def close(self) -> None:
        """No more of it."""
        self._selector.unregister(self._line)
        self._line.close()
        with suppress(RuntimeError):  # the loop is closed: nobody waits to know
            self._loop.call_soon_threadsafe(self._lost)


_Asked: TypeAlias = tuple[_Line, Items | Flush, Sequence[Item]]


def _answer(asked: Sequence[_Asked], results: Sequence[Any]) -> None:
    """One message or more for each line, in one piece."""
    out: dict[_Line, bytes] = {}
    at = 0
    for line, message, items in asked:
        answer: Any = Flushed(message.number)
        if isinstance(message, Items):
            answer = answers_to(message.number, items, results[at : at + len(items)])
            at += len(items)
        out[line] = out.get(line, b"") + framed(sent(answer))
    for line, messages in out.items():
        line.send(messages)


def _crossed(result: Any) -> tuple[Crossing, ...]:
    """The limits that a hold or a record has brought to one of their fractions."""
    if isinstance(result, Held):
        return result.crossed
    return result if isinstance(result, tuple) else ()
