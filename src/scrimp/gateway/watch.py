"""Who is being served, and the one look around that ends what takes too long.

A timer for each request would cost more than the request: deadlines are kept, and looked at now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from scrimp.gateway.inbound import Ended, Inbound

__all__ = ["Watch"]

_MOST_SECONDS = 0.5
_SHARE = 0.1


class Watch:
    """Every request under way."""

    def __init__(self, shortest: float) -> None:
        """`shortest` is the shortest of the time limits, in seconds."""
        self._every = min(_MOST_SECONDS, shortest * _SHARE)
        self._inbound: set[Inbound] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._inbound)

    def enter(self, inbound: Inbound) -> None:
        """A request came."""
        if not self._inbound:
            self._empty.clear()
        self._inbound.add(inbound)
        inbound.connection.lost = inbound.left

    def leave(self, inbound: Inbound) -> None:
        """It is over."""
        inbound.leave()
        self._inbound.discard(inbound)
        if not self._inbound:
            self._empty.set()

    def end(self, why: Ended) -> None:
        """Cut all of them short."""
        for inbound in tuple(self._inbound):
            inbound.end(why)

    async def empty(self, seconds: float) -> bool:
        """Wait until nothing is under way any more; whether it is so in time."""
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def run(self, also: Callable[[float], None]) -> None:
        """Look around until cancelled; `also` is called with the time, by the monotonic clock."""
        while True:
            await asyncio.sleep(self._every)
            now = monotonic()
            for inbound in tuple(self._inbound):
                if 0.0 < inbound.deadline < now:
                    inbound.too_late()
            also(now)
