"""One request of a client, for as long as it is served: its headers and body in, an answer out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from scrimp.asgi.shapes import HANG_UP, Headers, Receive, Scope, Send
from scrimp.gateway.bodies import unpacked
from scrimp.gateway.refusals import RefusedError, refusal_body

__all__ = ["CONNECTION", "Connection", "Ended", "Inbound"]

CONNECTION = "scrimp.connection"
"""The ASGI extension that gives the connection itself."""

Ended = Literal["left", "late body", "no turn", "no answer", "silent", "draining"]
"""Why a request is cut short: the client left, something took longer than it may, or the gateway stops."""

_JSON = (b"content-type", b"application/json")


class Connection(Protocol):
    """What tells that the client is gone, and when bodies take too much memory."""

    lost: Callable[[], None] | None
    full: bool

    def keep(self, size: int) -> bool:
        """So many bytes are kept until the answer is over; whether that is not too much."""
        ...


class Inbound:
    """A request. Whatever ends it early cancels its task, and `ended` says why."""

    __slots__ = (
        "_hang_up",
        "_late",
        "_receive",
        "_send",
        "connection",
        "deadline",
        "ended",
        "head",
        "headers",
        "key",
        "method",
        "path",
        "query",
        "raw_headers",
        "refusal",
        "status",
        "taken_at",
        "task",
        "upstream",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions: dict[str, Any] = scope.get("extensions") or {}
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("latin-1")
        self.query: bytes = scope["query_string"]
        self.raw_headers: Headers = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self.raw_headers)
        self.connection: Connection | None = extensions.get(CONNECTION)
        self.task = asyncio.current_task()
        self.deadline = 0.0
        self.ended: Ended | None = None
        self.status = 0
        self.head: Headers = []  # of the answer
        self.refusal: RefusedError | None = None
        self.key: str | None = None
        self.upstream: str | None = None
        self.taken_at = 0.0
        self._late: Ended = "no answer"
        # Taken out: the cycle it is of holds this scope, and nothing is to go round in a circle.
        self._hang_up: Callable[[], None] | None = extensions.pop(HANG_UP, None)
        self._receive = receive
        self._send = send

    @property
    def started(self) -> bool:
        """Whether an answer has begun."""
        return self.status > 0

    def within(self, until: float, late: Ended) -> None:
        """What follows has until then, by the monotonic clock; 0: for ever."""
        self.deadline = until
        self._late = late

    def too_late(self) -> None:
        """It took too long."""
        self.end(self._late)

    def end(self, why: Ended) -> None:
        """Cut it short, once."""
        if self.ended is None and self.task is not None:
            self.ended = why
            self.task.cancel()

    def left(self) -> None:
        """The client is gone."""
        self.end("left")

    async def read(self, limit: int) -> bytes:
        """The whole body; raises `RefusedError` when it is longer than `limit` bytes, or breaks off."""
        said = self.headers.get(b"content-length", b"")
        if said.isdigit() and int(said) > limit:
            raise _too_large(limit)
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            parts, size = [body], len(body)
            while message.get("more_body") and size <= limit and not self._full:
                message = await self._receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
            body = b"".join(parts)
        if message["type"] == "http.disconnect":
            self.ended = self.ended or "left"
            raise RefusedError(400, "the request broke off")
        if len(body) > limit:
            raise _too_large(limit)
        if self._full:
            raise _too_much()
        return body

    async def unpacked(self, raw: bytes, limit: int) -> bytes:
        """The body that was read without its `content-encoding`; raises `RefusedError`."""
        encoding = self.headers.get(b"content-encoding", b"").decode("latin-1")
        if encoding in ("", "identity"):
            return raw
        text = await asyncio.to_thread(unpacked, raw, encoding, limit)
        if self.connection is not None and not self.connection.keep(len(text)):
            raise _too_much()
        return text

    @property
    def _full(self) -> bool:
        return self.connection is not None and self.connection.full

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer at once."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.write(body, more=False)

    async def refuse(self, refused: RefusedError) -> None:
        """An error in the provider's shape."""
        request_id = f"req_scrimp_{os.urandom(12).hex()}"
        body = refusal_body(refused.status, str(refused), request_id, refused.details)
        headers = [_JSON, (b"request-id", request_id.encode()), *refused.headers]
        await self.respond(refused.status, headers, body)

    def start(self, status: int, headers: Headers) -> Awaitable[None]:
        """The status and headers; they go out with the first part of the body."""
        self.status, self.head = status, headers
        return self._send({"type": "http.response.start", "status": status, "headers": headers})

    def write(self, data: bytes, *, more: bool = True) -> Awaitable[None]:
        """A part of the body; waits where the client reads more slowly than we write."""
        return self._send({"type": "http.response.body", "body": data, "more_body": more})

    def hang_up(self) -> None:
        """Close the connection as it is, so that the client sees that the answer broke off."""
        if self._hang_up is None:
            raise ConnectionResetError("the answer broke off")
        self._hang_up()


def _too_much() -> RefusedError:
    return RefusedError.for_now(429, "scrimp: the requests under way in this gateway are too large together")


def _too_large(limit: int) -> RefusedError:
    return RefusedError.for_good(413, f"Request exceeds the maximum size of {limit:,} bytes")
