"""One request of a client, for as long as it is served: its headers and body in, an answer out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol

from scrimp.asgi.exchange import Carrier, Exchange
from scrimp.asgi.shapes import Headers
from scrimp.gateway.bodies import unpacked
from scrimp.gateway.headers import Fields
from scrimp.gateway.refusals import RefusedError, refusal_body

__all__ = ["Connection", "Ended", "Head", "Inbound"]

Ended = Literal["left", "late body", "no turn", "no answer", "silent", "draining"]
"""Why a request is cut short: the client left, something took longer than it may, or the gateway stops."""

_JSON = (b"content-type", b"application/json")


class Head(NamedTuple):
    """What the head of a request says, but for the length of its body. `path` is spelt as it came."""

    method: str
    path: str
    query: bytes
    headers: Fields
    keep_alive: bool = True


class Connection(Carrier, Protocol):
    """What tells that the client is gone, and when bodies take too much memory; `tasks` serve requests."""

    lost: Callable[[], None] | None
    full: bool
    tasks: set[asyncio.Task[Any]]

    def keep(self, size: int) -> bool:
        """So many bytes are kept until the answer is over; whether that is not too much."""
        ...


class Inbound(Exchange):
    """A request. Whatever ends it early cancels its task, and `ended` says why."""

    __slots__ = (
        "_late",
        "deadline",
        "ended",
        "head",
        "headers",
        "key",
        "length",
        "path",
        "query",
        "refusal",
        "status",
        "taken_at",
        "task",
        "upstream",
    )

    connection: Connection
    task: asyncio.Task[None]

    def __init__(self, connection: Connection, head: Head, length: bytes) -> None:
        """`length` is what `content-length` says, where there is one."""
        method, self.path, self.query, headers, alive = head
        Exchange.__init__(
            self, connection, method, keep_alive=alive, expects_continue=headers.expects_continue
        )
        self.headers = headers
        self.length = length
        self.deadline = 0.0
        self.ended: Ended | None = None
        self.status = 0
        self.head: Headers = []  # of the answer
        self.refusal: RefusedError | None = None
        self.key: str | None = None
        self.upstream: str | None = None
        self.taken_at = 0.0
        self._late: Ended = "no answer"

    def leave(self) -> None:
        """It is over: a client that still waits for an answer waits in vain."""
        self.connection.lost = None
        self.connection.tasks.discard(self.task)
        if not self.response_complete:
            self.transport.close()

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
        if self.ended is None:
            self.ended = why
            self.task.cancel()

    def left(self) -> None:
        """The client is gone."""
        self.end("left")

    async def come(self, limit: int, seconds: float) -> None:
        """Returns when there is all of the body, which has so many seconds, or more of it than `limit` bytes.

        Raises `RefusedError` where it says that there will be.
        """
        if self.length.isdigit() and int(self.length) > limit:
            raise _too_large(limit)
        self.within(monotonic() + seconds, "late body")
        while self._wants_more(limit):
            await self.came()
        self.within(0.0, "late body")

    def read(self, limit: int) -> bytes:
        """The whole body, which came; raises `RefusedError` where it is too long, or broke off."""
        if self.disconnected or self.response_complete:
            self.ended = self.ended or "left"
            raise RefusedError(400, "the request broke off")
        if self.size > limit:
            raise _too_large(limit)
        if self.connection.full:
            raise _too_much()
        return self.taken()

    def _wants_more(self, limit: int) -> bool:
        enough = self.size > limit or self.disconnected or self.connection.full
        return self.more_body and not enough

    async def unpacked(self, raw: bytes, limit: int) -> bytes:
        """The body that was read without its `content-encoding`; raises `RefusedError`."""
        encoding = self.headers.get(b"content-encoding", b"").decode("latin-1")
        if encoding in ("", "identity"):
            return raw
        text = await asyncio.to_thread(unpacked, raw, encoding, limit)
        if not self.connection.keep(len(text)):
            raise _too_much()
        return text

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer at once."""
        self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.write(body, more=False)

    async def refuse(self, refused: RefusedError) -> None:
        """An error in the provider's shape."""
        request_id = f"req_scrimp_{os.urandom(12).hex()}"
        body = refusal_body(refused.status, str(refused), request_id, refused.details)
        headers = [_JSON, (b"request-id", request_id.encode()), *refused.headers]
        await self.respond(refused.status, headers, body)

    def start(
        self, status: int, headers: Headers, named: Mapping[bytes, bytes] | None = None, head: bytes = b""
    ) -> None:
        """The status and headers (see `begin`); they go out with the first part of the body."""
        self.status, self.head = status, headers
        if not self.disconnected:
            self.begin(status, headers, named, head)

    def wrote(self, data: bytes, *, more: bool = True) -> bool:
        """A part of the body, unless the client reads more slowly than we write; whether it was written."""
        if self.disconnected:
            return True
        if self.flow.write_paused:
            return False
        self.put(data, over=not more)
        return True

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """A part of the body; waits where the client reads more slowly than we write."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self.put(data, over=not more)


def _too_much() -> RefusedError:
    return RefusedError.for_now(429, "scrimp: the requests under way in this gateway are too large together")


def _too_large(limit: int) -> RefusedError:
    return RefusedError.for_good(413, f"Request exceeds the maximum size of {limit:,} bytes")
