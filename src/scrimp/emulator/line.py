"""One HTTP exchange over ASGI: the body in, an answer out, a hang-up where one is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from scrimp.asgi.shapes import HANG_UP, App, Headers, Message, Receive, Scope, Send

__all__ = ["HANG_UP", "App", "Headers", "Line", "Message", "Receive", "Scope", "Send"]


class Line:
    """The connection, for the length of one exchange."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._close: Callable[[], None] | None = (scope.get("extensions") or {}).get(HANG_UP)
        self._receive = receive
        self._send = send
        self._watcher: asyncio.Task[None] | None = None

    async def read(self, limit: int) -> bytes | None:
        """The whole body, or None when it is longer than `limit` bytes."""
        parts, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                break
            part = message.get("body", b"")
            size += len(part)
            if size <= limit:
                parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts) if size <= limit else None

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer at once."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.write(body, more=False)

    async def start(self, status: int, headers: Headers) -> None:
        """The status and headers."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """A part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def pause(self, seconds: float) -> bool:
        """Wait, but no longer than the client does; False when it has gone."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        done, _ = await asyncio.wait({self._watcher}, timeout=seconds)
        return not done

    async def hang_up(self) -> None:
        """Close the connection as it is. Raises ConnectionResetError where the server gives no way to."""
        if self._close is None:
            raise ConnectionResetError("the emulator hung up")
        self._close()
        await self._watch()

    def leave(self) -> None:
        """The exchange is over."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
