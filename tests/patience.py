"""Waiting for what is to come, however long a busy machine takes; and an API that waits to be told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from scrimp.asgi.shapes import Receive, Scope, Send
from scrimp.emulator import Emulator
from scrimp.emulator.server import Server

__all__ = ["PATIENCE", "HeldBack", "eventually"]

PATIENCE = 60.0
"""Seconds until a test gives up what comes at once on most machines: a busy one is no failing test."""


def eventually(is_so: Callable[[], object]) -> None:
    """Wait until something is so; fails when it never is."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.005)


class HeldBack(Emulator):
    """Answers no request until it may, or only the first `times` of them; `held` counts those that wait."""

    def __init__(self, *replies: Any, times: int | None = None, **options: Any) -> None:
        super().__init__(*replies, **options)
        self.may_answer = threading.Event()
        self.held = 0
        self._times = times

    def start(self) -> Self:
        """See `Emulator`."""
        self._server = Server(self)
        self._server.start()
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if self._times is None or self.held < self._times:
            self.held += 1
            while not self.may_answer.is_set():
                await asyncio.sleep(0.002)
        await self.app(scope, receive, send)
