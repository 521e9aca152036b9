"""One request and its answer: uvicorn's own, with one write for a head and the first part of its body."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from scrimp.asgi.shapes import Headers, Message, Scope

__all__ = ["Cycle"]

_NOT_IN_A_HEAD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WITHOUT_BODY = (204, 304)
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


class Cycle(RequestResponseCycle):
    """As uvicorn has it, for one reader and one writer.

    Two small writes are two packets, and cost the reader a second wake-up: the head waits for the first part
    of the body, and an empty first part sends it alone. What comes is kept as it came, so that a large body
    is copied once, where there is all of it.
    """

    logger = logging.getLogger("uvicorn.error")

    def __init__(
        self,
        scope: Scope,
        transport: asyncio.Transport,
        *,
        flow: FlowControl,
        on_response: Callable[[], None],
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        # Without `super`, which sets up as much again that is not needed here.
        self.scope = cast("Any", scope)
        self.transport = transport
        self.flow = flow
        self.on_response = on_response
        self.message_event = asyncio.Event()
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects_continue
        self.disconnected = False
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding: bool | None = None
        self.expected_content_length = 0
        self.parts: list[bytes] = []
        self.size = 0
        """Bytes of the body that the application has not taken yet."""
        self._head = b""

    def take(self, body: bytes) -> None:
        """A part of the request's body came."""
        self.parts.append(body)
        self.size += len(body)

    def hang_up(self) -> None:
        """Close the connection as it is."""
        if self._head:
            self.transport.write(self._head)
            self._head = b""
        self.transport.close()

    async def receive(self) -> Any:
        """See ASGI."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts, self.size = [], 0
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Any) -> None:
        """See ASGI. Raises RuntimeError where the application does not keep to it."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        expected = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != expected or self.response_complete:
            raise RuntimeError(f"{message['type']} is not what comes next in an answer")
        if self.response_started:
            self._write(message)
        else:
            self._begin(message["status"], message["headers"])

    def _begin(self, status: int, headers: Headers) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [STATUS_LINE[status]]
        closing = False
        for name, value in headers:
            lines.append(b"%b: %b\r\n" % (name, value))
            lower = name.lower()
            if lower not in _FRAMING:
                continue
            if lower == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length, self.chunked_encoding = int(value), False
            elif lower == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length, self.chunked_encoding = 0, True
            elif lower == b"connection" and b"close" in value.lower():
                closing, self.keep_alive = True, False
        if not self.keep_alive and not closing:
            lines.append(b"connection: close\r\n")
        without_body = self.scope["method"] == "HEAD" or status in _WITHOUT_BODY
        if self.chunked_encoding is None and not without_body:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        head = b"".join(lines)
        # One search through all of it: one for each name and value takes several times as long.
        if head.count(b"\n") + head.count(b"\r") != 2 * len(lines) or _NOT_IN_A_HEAD.search(head):
            raise RuntimeError("a header of the answer has characters that no header can have")
        self._head = head + b"\r\n"

    def _write(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        over = not message.get("more_body", False)
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length, body = 0, b""
        elif self.chunked_encoding:
            end = b"0\r\n\r\n" if over else b""
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (over and self.expected_content_length):
                raise RuntimeError("the body of the answer is not as long as its content-length says")
        if head or body:
            self.transport.write(head + body)
        if over:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
