"""A request that uvicorn hands to the application."""

from __future__ import annotations

import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from scrimp.asgi.exchange import Carrier, Exchange
from scrimp.asgi.shapes import Message, Scope

__all__ = ["Cycle"]


class Cycle(Exchange, RequestResponseCycle):
    """As uvicorn has it, for one reader and one writer."""

    logger = logging.getLogger("uvicorn.error")

    def __init__(
        self, connection: Carrier, scope: Scope, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        # Of uvicorn's own nothing: it would set up as much again that is not needed here.
        method = scope["method"]
        Exchange.__init__(self, connection, method, keep_alive=keep_alive, expects_continue=expects_continue)
        self.scope: Any = scope

    async def receive(self) -> Message:  # type: ignore[override]  # uvicorn's names each message
        """See ASGI."""
        await self.came()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.taken(), "more_body": self.more_body}

    async def send(self, message: Message) -> None:  # type: ignore[override]  # as above
        """See ASGI. Raises RuntimeError where the application does not keep to it."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        expected = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != expected or self.response_complete:
            raise RuntimeError(f"{message['type']} is not what comes next in an answer")
        if self.response_started:
            self.put(message.get("body", b""), over=not message.get("more_body", False))
        else:
            self.begin(message["status"], message["headers"])
