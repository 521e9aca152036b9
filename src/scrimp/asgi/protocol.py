"""uvicorn's HTTP/1.1 protocol with requests of our own (`Cycle`), and a way to hang up."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scrimp.asgi.cycle import Cycle
from scrimp.asgi.shapes import HANG_UP

__all__ = ["Protocol"]

_PAUSED_AT = 65_536
"""Bytes that may wait for the application before the client has to."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        # asyncio leaves Nagle's algorithm on for sockets it did not open itself: 40 ms a streamed answer.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)

    def extensions(self, cycle: Cycle) -> dict[str, Any]:
        """What a request can ask for beyond ASGI."""
        return {HANG_UP: cycle.hang_up}

    def on_headers_complete(self) -> None:
        """As uvicorn's own, without upgrades and without a limit on connections."""
        parser, scope = self.parser, cast("dict[str, Any]", self.scope)
        version, url = parser.get_http_version(), httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before = cast("Cycle | None", self.cycle)
        cycle = self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        scope["extensions"] = self.extensions(cycle)
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:  # sent before the answer to the one before it came: it has to wait
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """See uvicorn."""
        cycle = cast("Cycle", self.cycle)
        if cycle.response_complete:
            return
        cycle.take(body)
        if cycle.size > _PAUSED_AT:
            self.flow.pause_reading()
        cycle.message_event.set()
