"""uvicorn's HTTP/1.1 protocol with two additions: one write for a head and its body, and a way to hang up."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scrimp.asgi.shapes import HANG_UP

__all__ = ["Protocol"]


class _OneWrite:
    """A transport that sends a response's head together with the first part of its body.

    Two small writes are two packets, and cost the reader a second wake-up. An empty first part sends the
    head alone. Of what is written for one response only the very first can be its head, and an interim
    answer (`100 Continue`) is none.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.begun = False
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing  # asked often: `__getattr__` takes its time

    def write(self, data: bytes) -> None:
        if not self.begun and not data.startswith(b"HTTP/1.1 1"):
            self.begun = True
            if data.endswith(b"\r\n\r\n"):  # else head and body are written at once
                self._head = data
                return
        self._transport.write(self._head + data)
        self._head = b""

    def close(self) -> None:
        if self._head:
            self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        # asyncio leaves Nagle's algorithm on for sockets it did not open itself: 40 ms a streamed answer.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._one_write = _OneWrite(transport)
        super().connection_made(cast("asyncio.Transport", self._one_write))

    def on_response_complete(self) -> None:
        """See uvicorn."""
        self._one_write.begun = False
        super().on_response_complete()

    def on_message_begin(self) -> None:
        """See uvicorn."""
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: cast("dict[object, object]", self.transport.close)}
