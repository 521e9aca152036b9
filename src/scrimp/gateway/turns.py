"""Planning and settling take turns with the network, so that no stream waits for a row of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

__all__ = ["Turns"]

_SLICE = 0.0003
"""Seconds of such work at a stretch; what is begun is finished."""


class Turns:
    """Lets work that takes a while go on for a moment, then has the event loop look at the network first.

    While nothing streams, whatever comes is done at once: looking around after each piece costs more.
    """

    def __init__(self) -> None:
        self.streams = 0
        """How many answers are under way part by part."""
        self._line: deque[Callable[[], None]] = deque()
        self._since: float | None = None  # since when there is work again after the last look

    async def mine(self) -> None:
        """Returns when there is time for a piece of work."""
        if self._is_time():
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(lambda: None if place.done() else place.set_result(None))
        await place

    def when_there_is_time(self, work: Callable[[], None]) -> None:
        """Do `work` at once, or soon."""
        if not self.streams or self._is_time():
            work()
        else:
            self._line.append(work)

    def finish(self) -> None:
        """Do all that still stands in line."""
        while self._line:
            self._line.popleft()()

    def _is_time(self) -> bool:
        if not self.streams:
            return True
        now = monotonic()
        if self._since is None:
            self._since = now
            asyncio.get_running_loop().call_soon(self._looked)
            return True
        return not self._line and now - self._since < _SLICE

    def _looked(self) -> None:
        """The loop has looked at the network: the next in line."""
        if not self._line:
            self._since = None
            return
        self._since = monotonic()
        asyncio.get_running_loop().call_soon(self._looked)
        self._line.popleft()()
