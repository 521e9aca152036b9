"""uvicorn's HTTP/1.1 protocol with requests of our own (`Cycle`), and a way to hang up."""

from __future__ import annotations

import asyncio
import socket
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scrimp.asgi.cycle import Cycle
from scrimp.asgi.exchange import Exchange
from scrimp.asgi.shapes import HANG_UP

__all__ = ["Protocol", "parts_of"]

_PAUSED_AT = 65_536
"""Bytes that may wait for the application before the client has to."""

_TARGETS = 256
_ASGI = {"version": "3.0", "spec_version": "2.3"}


class Protocol(HttpToolsProtocol):
    """One connection."""

    cycle: Exchange | None  # type: ignore[assignment]  # none before the first request, in uvicorn too

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        # asyncio leaves Nagle's algorithm on for sockets it did not open itself: 40 ms a streamed answer.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)

    def serve(self, exchange: Exchange) -> None:
        """Begin to serve a request."""
        self._start_asgi_task(cast("Any", exchange), self.app)

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's own."""
        cycle, self.cycle = self.cycle, None  # it holds this connection: nothing is to go round in a circle
        if cycle is not None:
            cycle.disconnected = not cycle.response_complete
            cycle.wake()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """As uvicorn's own; the request is made once its head is there."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """As uvicorn's own, without upgrades and without a limit on connections."""
        parser = self.parser
        version = parser.get_http_version()
        path, raw_path, query = parts_of(self.url)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": parser.get_method().decode("ascii"),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
        }
        keep_alive = version != "1.0" and parser.should_keep_alive()
        cycle = Cycle(self, scope, keep_alive=keep_alive, expects_continue=self.expect_100_continue)
        scope["extensions"] = {HANG_UP: cycle.hang_up}
        self.begin(cycle)

    def begin(self, exchange: Exchange) -> None:
        """There is the head of a request."""
        before, self.cycle = self.cycle, exchange
        if before is None or before.response_complete:
            self.serve(exchange)
        else:  # sent before the answer to the one before it came: it has to wait
            self.flow.pause_reading()
            self.pipeline.appendleft((cast("Any", exchange), self.app))

    def on_body(self, body: bytes) -> None:
        """See uvicorn."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        cycle.take(body)
        if cycle.size > _PAUSED_AT:
            self.flow.pause_reading()
        cycle.wake()

    def on_message_complete(self) -> None:
        """See uvicorn."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.more_body = False
            cycle.wake()


@lru_cache(_TARGETS)
def parts_of(target: bytes) -> tuple[str, bytes, bytes]:
    """The path, the same as it came, and the query of what a request is for."""
    url = httptools.parse_url(target)
    path = url.path.decode("ascii")
    return unquote(path) if "%" in path else path, url.path, url.query or b""
