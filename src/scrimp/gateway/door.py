"""Where connections come from: a port of one's own, or the supervisor of several workers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from uvicorn.server import ServerState

from scrimp.asgi.listening import listen
from scrimp.gateway.protocol import GatewayProtocol
from scrimp.gateway.shared import Shared

__all__ = ["Door"]


class Door:
    """Lets connections in; `state` has those that are inside."""

    def __init__(self, make: Callable[[ServerState], GatewayProtocol], shared: Shared | None) -> None:
        """`make` gives each connection a protocol of its own."""
        self.state = ServerState()
        self._make = make
        self._shared = shared
        self._server: asyncio.Server | None = None
        self._closed = 0
        self._coming: set[asyncio.Task[None]] = set()

    async def open(self, port: socket.socket | None) -> None:
        """Listen on a port, where there is one."""
        if port is not None:
            self._server, self.state = await listen(self._make, port)

    def serve(self, gone: Callable[[], None]) -> None:
        """Calls are answered from now on. `gone` is called when the supervisor is."""
        if self._shared is not None:
            self._shared.serve(self._take, gone)

    def close(self) -> None:
        """Let nobody in any more."""
        if self._server is not None:
            self._server.close()

    def _take(self, connection: socket.socket) -> None:
        connection.settimeout(0.0)
        task = asyncio.get_running_loop().create_task(self._let_in(connection))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def _let_in(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._made, connection)
        except OSError:  # the client has left already
            self._gone()

    def _made(self) -> GatewayProtocol:
        protocol = self._make(self.state)
        protocol.gone = self._gone
        return protocol

    def _gone(self) -> None:
        """A connection is closed."""
        self._closed += 1
        if self._shared is not None:
            self._shared.stands(self._closed)
