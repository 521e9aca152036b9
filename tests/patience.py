"""Waiting for what is to come, however long a busy machine takes; and an API that waits to be told."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any, Self

from scrimp.asgi.shapes import Receive, Scope, Send
from scrimp.emulator import Emulator
from scrimp.emulator.server import Server

__all__ = ["PATIENCE", "HeldBack", "eventually", "free_port", "until", "within"]

PATIENCE = 60.0
"""Seconds until a test gives up what comes at once on most machines: a busy one is no failing test."""


def eventually(is_so: Callable[[], object]) -> None:
    """Wait until something is so; fails when it never is."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.005)


async def until(is_so: Callable[[], object]) -> bool:
    """Wait until something is so, or seems never to be; whether it is."""
    give_up = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(0.002)
    return True


def within(seconds: float, limit: float) -> bool:
    """Whether work took less than `limit` of `time.process_time`, or of what is as long on this machine."""
    return seconds < limit or seconds < limit * _slowness()


def _slowness() -> float:
    """How many times as long as a usual machine this one takes now for some work; asking takes a while."""

    def took() -> float:
        begun, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number % 7
        return time.process_time() - begun

    return min(took() for _ in range(3)) / _USUAL


_USUAL = 0.045


def free_port() -> int:
    """A port that nobody is given meanwhile who asks for any: those are from 32,768 on, or 49,152."""
    for port in random.sample(range(10_000, 32_000), 1_000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no port is free")


class HeldBack(Emulator):
    """Answers no request until it may, but for the first `after`; `held` counts those that had to wait.

    No more than `times` have to, and none any more once there are `until` of them: then all go on at once.
    `in_vain`: they waited until there was no more patience.
    """

    def __init__(
        self, *replies: Any, after: int = 0, times: float = inf, until: float = inf, **options: Any
    ) -> None:
        super().__init__(*replies, **options)
        self.may_answer = threading.Event()
        self.in_vain = False
        self._go: asyncio.Event | None = None
        self.come = self.held = 0
        self._after, self._times, self._until = after, times, until

    def start(self) -> Self:
        """See `Emulator`."""
        self._server = Server(self)
        self._server.start()
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        self.come += 1
        if self._after < self.come <= self._after + self._times:
            self.held += 1
            await self._released()
        await self.app(scope, receive, send)

    async def _released(self) -> None:
        if self._go is None:
            self._go = asyncio.Event()
            self.in_vain = not await until(lambda: self.may_answer.is_set() or self.held >= self._until)
            self._go.set()
            await asyncio.sleep(0)  # those who wait get their turn now
        await self._go.wait()
