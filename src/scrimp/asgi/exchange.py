"""One request and its answer on a connection, framed as HTTP/1.1."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from scrimp.asgi.shapes import Headers

__all__ = ["Carrier", "Exchange"]

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})
"""No header has one of them; the two at the end of its line are counted."""

_WITHOUT_BODY = (204, 304)
_LINE = b": ".join
_END = (b"", b"")


class Carrier(Protocol):
    """The connection of an exchange, as uvicorn has it."""

    transport: asyncio.Transport
    flow: FlowControl

    def on_response_complete(self) -> None:
        """All of the answer was written."""


class Exchange:
    """For one reader and one writer.

    Two small writes are two packets, and cost the reader a second wake-up: the head waits for the first part
    of the body, and an empty first part sends it alone. What comes is kept as it came, so that a large body
    is copied once, where there is all of it.
    """

    __slots__ = (
        "_head",
        "_left",
        "_news",
        "_waiting",
        "chunked",
        "connection",
        "disconnected",
        "expects_continue",
        "flow",
        "keep_alive",
        "method",
        "more_body",
        "parts",
        "response_complete",
        "response_started",
        "size",
        "transport",
    )

    def __init__(self, connection: Carrier, method: str, *, keep_alive: bool, expects_continue: bool) -> None:
        self.connection = connection
        self.transport = connection.transport
        self.flow = connection.flow
        self.method = method
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        """Whether the client waits for a word before it sends the body."""
        self.disconnected = False
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked = False
        self.parts: list[bytes] = []
        self.size = 0
        """Bytes of the body that nobody has taken yet."""
        self._head = b""
        self._left = 0  # of the answer, where its head says how long it is
        self._news = False
        self._waiting: asyncio.Future[None] | None = None

    def take(self, body: bytes) -> None:
        """A part of the request's body came."""
        self.parts.append(body)
        self.size += len(body)

    def wake(self) -> None:
        """There is something to look at: whoever waits in `came` goes on."""
        self._news = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def came(self) -> None:
        """Returns when more of the body is there, or all of it, or when nothing more comes."""
        if self.expects_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.expects_continue = False
        if self.disconnected or self.response_complete:
            return
        self.flow.resume_reading()
        if not self._news:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self._news = False

    def taken(self) -> bytes:
        """What came of the body and was not taken yet."""
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts, self.size = [], 0
        return body

    def hang_up(self) -> None:
        """Close the connection as it is."""
        if self._head:
            self.transport.write(self._head)
            self._head = b""
        self.transport.close()

    def begin(
        self, status: int, headers: Headers, named: Mapping[bytes, bytes] | None = None, head: bytes = b""
    ) -> None:
        """The head of the answer. Raises RuntimeError for a header that is none.

        `named` are the same headers by their names in small letters, where that is known; `head` is what is
        written for them, to its end, on a connection that is kept, where somebody has made it already.
        """
        self.response_started = True
        self.expects_continue = False
        if head and named is not None and self.keep_alive:
            self._left = int(named[b"content-length"])
            self._head = head
            return
        if named is None:
            named = {name.lower(): value for name, value in headers}
        lines = [*map(_LINE, headers)]
        if b"connection" in named and named[b"connection"].lower().find(b"close") >= 0:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close")
        if b"transfer-encoding" in named and named[b"transfer-encoding"].lower() == b"chunked":
            self.chunked = True
        elif b"content-length" in named:
            self._left = int(named[b"content-length"])
        elif self.method != "HEAD" and status not in _WITHOUT_BODY:
            self.chunked = True
            lines.append(b"transfer-encoding: chunked")
        lines += _END
        made = STATUS_LINE[status] + b"\r\n".join(lines)
        # One look at all of it: one at each name and value takes several times as long.
        if len(made) - len(made.translate(None, _CONTROLS)) != 2 * len(lines):
            raise RuntimeError("a header of the answer has characters that no header can have")
        self._head = made

    def put(self, body: bytes, *, over: bool) -> None:
        """A part of the answer's body. Raises RuntimeError where it is not as long as its head says."""
        head, self._head = self._head, b""
        if self.method == "HEAD":
            self._left, body = 0, b""
        elif self.chunked:
            end = b"0\r\n\r\n" if over else b""
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        else:
            self._left -= len(body)
            if self._left < 0 or (over and self._left):
                raise RuntimeError("the body of the answer is not as long as its content-length says")
        if head or body:
            self.transport.write(head + body)
        if over:
            self.response_complete = True
            if self._waiting is not None:
                self.wake()
            if not self.keep_alive:
                self.transport.close()
            self.connection.on_response_complete()
