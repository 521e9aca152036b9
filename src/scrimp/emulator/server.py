"""A thread with uvicorn, on a port of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress

from uvicorn.server import ServerState

from scrimp.asgi.listening import BACKLOG, finished, listen, quiet_config
from scrimp.asgi.protocol import Protocol
from scrimp.asgi.shapes import App
from scrimp.errors import ScrimpError

__all__ = ["Server"]

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_FINISH_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 75.0


class Server:
    """Serves an application from a thread until stopped."""

    def __init__(self, app: App, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one. Raises OSError when the port is taken."""
        self._socket = socket.create_server((host, port), backlog=BACKLOG)
        self.host, self.port = self._socket.getsockname()[:2]
        self._config = quiet_config(app, keep_alive=_KEEP_ALIVE_SECONDS)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="scrimp-emulator", daemon=True)

    def start(self) -> None:
        """Serve; returns once requests are answered."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or self._stopping is None:
            raise ScrimpError("the emulator did not start")

    def stop(self) -> None:
        """Finish what is being sent (for a second at most), close everything, and end the thread."""
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # the loop is closed: it was stopped before
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        server, state = await listen(self._protocol, self._socket)
        stopping = self._stopping = asyncio.Event()
        self._ready.set()
        await stopping.wait()
        server.close()
        await finished(state, _FINISH_SECONDS)

    def _protocol(self, state: ServerState) -> Protocol:
        return Protocol(self._config, state, {})
