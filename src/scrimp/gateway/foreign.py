"""Requests that come through another server than the gateway's own: over nothing but ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from scrimp.asgi.shapes import Headers, Receive, Scope, Send
from scrimp.gateway.headers import Fields
from scrimp.gateway.inbound import Head, Inbound

__all__ = ["Foreign"]

_LENGTH = b"content-length"


class _Unseen:
    """A connection of which nothing is known."""

    transport = cast("asyncio.Transport", None)
    flow = cast("Any", None)
    lost: Callable[[], None] | None = None
    full = False

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()

    def on_response_complete(self) -> None:
        """Nothing follows."""

    def keep(self, size: int) -> bool:  # noqa: ARG002 - as `Connection` has it
        """The server bounds what it keeps."""
        return True


class Foreign(Inbound):
    """What an `Inbound` does with its connection, done by messages."""

    __slots__ = ("_receive", "_send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: Headers = scope["headers"]
        fields = Fields([header for header in raw if header[0] != _LENGTH])
        head = Head(scope["method"], scope["raw_path"].decode("latin-1"), scope["query_string"], fields)
        super().__init__(_Unseen(), head, dict(raw).get(_LENGTH, b""))
        self.task = cast("asyncio.Task[None]", asyncio.current_task())
        self._receive = receive
        self._send = send

    def leave(self) -> None:
        """It is over; that an answer is missing is for the server to say."""

    async def came(self) -> None:
        """See `Exchange`."""
        message = await self._receive()
        self.disconnected = message["type"] == "http.disconnect"
        self.more_body = message.get("more_body", False)
        self.take(message.get("body", b""))

    def begin(
        self, status: int, headers: Headers, named: Mapping[bytes, bytes] | None = None, head: bytes = b""
    ) -> None:
        """See `Exchange`: it is sent with the first part of the body."""

    def wrote(self, data: bytes, *, more: bool = True) -> bool:  # noqa: ARG002 - as `Inbound` has it
        """Its server is always waited for."""
        return False

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """See `Inbound`."""
        if not self.response_started:
            self.response_started = True
            start = {"type": "http.response.start", "status": self.status, "headers": self.head}
            await self._send(start)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        self.response_complete = not more

    def hang_up(self) -> None:
        """Close the connection as it is: by an error, which servers answer so."""
        raise ConnectionResetError("the answer broke off")
