"""How many calls are under way at once, and the queue in front of them."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic

from scrimp.gateway.inbound import Inbound
from scrimp.gateway.refusals import RefusedError

__all__ = ["Gate"]


class Gate:
    """At most `concurrent` calls at once; `waiting` more wait in line, and whoever comes then is refused.

    Those get 429 and `retry-after`, which every client of the API waits for. 529 would say the same, but
    clients take a row of those for an overloaded model and go on with another one.
    """

    def __init__(self, concurrent: int, waiting: int, turn: float) -> None:
        """`turn` is how many seconds one waits at most."""
        self._free = concurrent
        self._most_waiting = waiting
        self._turn = turn
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    def opens(self) -> bool:
        """Let a call in at once, where nobody has to wait; whether it is in."""
        if self._free > 0:
            self._free -= 1
            return True
        return False

    async def wait(self, inbound: Inbound) -> None:
        """Returns when it is this call's turn; raises `RefusedError`."""
        if len(self._line) >= self._most_waiting:
            raise RefusedError.for_now(429, "scrimp: too many requests are under way in this gateway")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        inbound.within(monotonic() + self._turn, "no turn")
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            else:
                self._line.remove(place)
            raise

    def leave(self) -> None:
        """A call is over: the next one's turn."""
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
