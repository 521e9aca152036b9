"""Planning, metering and settling take turns with the network, so that no stream waits for a row of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

__all__ = ["Turns"]

_SLICE = 0.0001
"""Seconds of small work at a stretch; what is begun is finished."""

_MOST = 128
"""Pieces that may stand in line after such a stretch: those before them are done all the same."""


class Turns:
    """Lets work that takes a while go on for a moment, then has the event loop look at the network first.

    What streams send is passed on while the loop looks, and goes out before anything else is done. While
    nothing streams, whatever comes is done at once: looking around after each piece costs more.
    """

    def __init__(self) -> None:
        self.streams = 0
        """How many answers are under way part by part."""
        self._line: deque[Callable[[], None] | asyncio.Future[None]] = deque()
        self._looks = False  # whether `_looked` is called soon

    @property
    def busy(self) -> bool:
        """Whether work has to wait for its turn: something streams, or there is work before it."""
        return self.streams > 0 or self._looks

    async def mine(self) -> None:
        """Returns when there is time for a piece of work; to be asked again before the next piece."""
        if not self._looks:
            if self.streams:
                self._look()
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        await place

    def when_there_is_time(self, work: Callable[[], None]) -> None:
        """Do `work`: at once where nothing has to wait, else `later`."""
        if self.streams or self._looks:
            self.later(work)
        else:
            work()

    def later(self, work: Callable[[], None]) -> None:
        """Do `work` after what was heard of the network just now has gone out."""
        self._line.append(work)
        if not self._looks:
            self._look()

    def rest(self, work: Callable[[], None]) -> None:
        """Do what is left of a piece of work: at once where nothing has to wait, else as the next in line."""
        if self.busy:
            self._line.appendleft(work)
            if not self._looks:
                self._look()
        else:
            work()

    def finish(self) -> None:
        """Do all that still stands in line."""
        while self._line:
            self._next()

    def _look(self) -> None:
        self._looks = True
        asyncio.get_running_loop().call_soon(self._looked)

    def _looked(self) -> None:
        """The loop has looked at the network: some of those in line."""
        line, until, let_go = self._line, monotonic() + _SLICE, False
        while line and not let_go:
            let_go = self._next()
            if len(line) <= _MOST and monotonic() >= until:
                break
        if let_go:  # who was let go on works in the next turn of the loop, and nobody else
            asyncio.get_running_loop().call_soon(self._look)
        elif line:
            self._look()
        else:
            self._looks = False

    def _next(self) -> bool:
        """The first in line; whether that is somebody who is let go on now. What fails holds nobody up."""
        work = self._line.popleft()
        if not isinstance(work, asyncio.Future):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - our own failure: those behind it have their turn
                _tell(error)
            return False
        if work.done():
            return False
        work.set_result(None)
        return True


def _tell(error: Exception) -> None:
    """By its kind alone: its text may hold what was asked or answered."""
    told = f"work in its turn failed: {type(error).__name__}"
    asyncio.get_running_loop().call_exception_handler({"message": told})
