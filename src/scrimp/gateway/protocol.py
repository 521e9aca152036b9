"""The gateway's side of a connection: limits on heads and on waiting, and word when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import chain
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

import httptools
import msgspec
from uvicorn import Config
from uvicorn.server import ServerState

from scrimp.asgi.protocol import Protocol, parts_of
from scrimp.gateway.buffered import Buffered
from scrimp.gateway.headers import Fields
from scrimp.gateway.inbound import Head, Inbound
from scrimp.gateway.known_heads import KnownHead, known_head
from scrimp.gateway.long_requests import LongRequests
from scrimp.gateway.refusals import refusal_body

__all__ = ["Allowed", "GatewayProtocol"]

Serving: TypeAlias = Callable[[Inbound], Coroutine[Any, Any, None]]

_BATCHES = b"/batches"
_LONG = 32 * 1024
"""Bytes of a request from which it pays to receive the next ones into a place of one's own."""

_TASK = "scrimp request"
_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class Allowed(msgspec.Struct, frozen=True):
    """Bytes and seconds that a client may take. `idle` is for a connection on which nothing is asked."""

    head_bytes: int
    body_bytes: int
    batch_bytes: int
    head_seconds: float
    request_seconds: float
    idle_seconds: float


class _TooLongError(Exception):
    pass


class _Again(NamedTuple):
    """A head that has come twice, what it says, and how many bytes its body may have."""

    known: KnownHead
    head: Head
    most: int


class GatewayProtocol(Protocol):
    """One connection. `lost` is called once when the client closes it, `gone` when it is closed by anybody.

    `full` says that no more of a body can be kept, because all connections together keep too much.
    """

    def __init__(
        self, serving: Serving, config: Config, state: ServerState, *, allowed: Allowed, buffered: Buffered
    ) -> None:
        """`serving` answers a request."""
        super().__init__(config, state, {})
        self._serving = serving
        self.access_log = False
        self.lost: Callable[[], None] | None = None
        self.gone: Callable[[], None] | None = None
        self.full = False
        self._allowed = allowed
        self._buffered = buffered
        self._kept = 0
        self._fields: Fields | None = None
        self._repeats: Head | None = None
        self._again: _Again | None = None
        self._length = b""
        self._head = 0
        self._coming = 0
        self._most = allowed.body_bytes
        self._in_head = False
        self._reading = False
        self._asked = False
        self._since = monotonic()
        self._fault: tuple[int, str] = (400, "scrimp: not an HTTP request")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        self._give_back()
        lost, self.lost = self.lost, None
        if lost is not None:
            lost()
        if self.gone is not None:
            self.gone()

    def data_received(self, data: bytes) -> None:
        """As uvicorn's own, without its timer (see `on_response_complete`) and without upgrades."""
        alone = not self._reading
        if alone and self._again is not None:
            found = self._again.known.read(data)
            if found is not None:
                self._come_again(self._again, *found)
                if len(data) > _LONG:
                    self.transport.set_protocol(LongRequests(self.came_again, self, self._buffered.room))
                return
        self._coming = len(data)
        self._again = None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.refuse(*self._fault)
            return
        except httptools.HttpParserUpgrade:  # it is served as what it was before
            pass
        if self._in_head and not self.transport.is_closing():
            self._head += len(data)
            if self._head > self._allowed.head_bytes:
                self.refuse(431, "scrimp: the headers are too long")
        elif alone and self._repeats is not None and not self._reading:
            known = known_head(data, self._length)
            self._again = None if known is None else _Again(known, self._repeats, self._most)

    def came_again(self, room: bytearray, size: int) -> bool:
        """Begin a request that is known and whole, where that is what so many bytes of `room` are."""
        again = self._again
        found = None if again is None or self._reading else again.known.read(room, size)
        if again is None or found is None:
            return False
        self._come_again(again, *found)
        return True

    def _come_again(self, again: _Again, length: bytes, body: bytes) -> None:
        """What the parser's callbacks do for a request that is known and whole."""
        self._asked = True
        self._since = monotonic()
        self._most = again.most
        inbound = Inbound(self, again.head, length)
        self.begin(inbound)
        self.on_body(body)
        inbound.more_body = False

    def on_message_begin(self) -> None:
        """See uvicorn."""
        super().on_message_begin()
        self._head, self._in_head, self._reading, self._asked = 0, True, True, True
        self._length, self._repeats = b"", None
        self._since = monotonic()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See uvicorn."""
        name = name.lower()
        if name == b"content-length":
            self._length = value
        else:
            self.headers.append((name, value))

    def serve(self, exchange: Any) -> None:
        """As uvicorn's own, for an application that leaves no failure to others, nor tasks behind."""
        # Not by the loop, which makes up a name for each task first.
        task = exchange.task = asyncio.Task(self._serving(exchange), loop=self.loop, name=_TASK)
        self.tasks.add(task)

    def on_headers_complete(self) -> None:
        """See uvicorn."""
        self._in_head = False
        if self._head + self._coming > self._allowed.head_bytes:  # what came with it may be of the body
            lengths = sum(map(len, chain.from_iterable(self.headers))) + 4 * len(self.headers)
            if len(self.url) + lengths > self._allowed.head_bytes:
                self._fault = (431, "scrimp: the headers are too long")
                raise _TooLongError
        self._most = self._allowed.batch_bytes if self.url.find(_BATCHES) >= 0 else self._allowed.body_bytes
        parser, fields = self.parser, self._fields
        _, path, query = parts_of(self.url)
        method = parser.get_method().decode("ascii")
        alive = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        if fields is not None and fields.raw == self.headers:
            head = Head(method, path.decode("latin-1"), query, fields, alive)
            self._repeats = head if _is_plain(head) and self._length else None
        else:
            fields = self._fields = Fields(self.headers)
            head = Head(method, path.decode("latin-1"), query, fields, alive)
        self.begin(Inbound(self, head, self._length))

    def on_body(self, body: bytes) -> None:
        """Bodies are wanted whole: the application is woken when there is all of it, or too much."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        cycle.take(body)
        self.full = not self.keep(len(body))
        if self.full or cycle.size > self._most:
            self.flow.pause_reading()
            cycle.wake()

    def keep(self, size: int) -> bool:
        """So many bytes are kept until the answer is over; whether that is not too much."""
        self._kept += size
        return self._buffered.take(size)

    def _give_back(self) -> None:
        self._buffered.give_back(self._kept)
        self._kept, self.full = 0, False

    def on_response_complete(self) -> None:
        """As uvicorn's own, but that `look` ends connections that idle: a timer for each costs too much."""
        self._buffered.give_back(self._kept)  # as `_give_back`, which every request would call
        self._kept, self.full = 0, False
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self.serve(self.pipeline.pop()[0])
        elif not self._reading:
            self._asked = False  # as `_rest`
            self._since = monotonic()

    def on_message_complete(self) -> None:
        """See uvicorn."""
        self._reading = False
        cycle = self.cycle
        if cycle is not None and cycle.response_complete:  # answered before all of it was there
            self._rest()
        super().on_message_complete()

    def _rest(self) -> None:
        """Nothing is asked any more."""
        self._asked = False
        self._since = monotonic()

    def refuse(self, status: int, message: str) -> None:
        """Answer outside of any request, and close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = refusal_body(status, message, "req_scrimp")
            head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (
                status,
                _REASONS[status],
                len(body),
            )
            self.transport.write(head + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def look(self, now: float) -> None:
        """End what takes too long; `now` by the monotonic clock."""
        waited = now - self._since
        if self._in_head:
            if waited > self._allowed.head_seconds:
                self.refuse(408, "scrimp: the headers took too long")
        elif self._reading:  # the application answers first, unless it has done so already
            if waited > 2.0 * self._allowed.request_seconds:
                self.transport.close()
        elif not self._asked and waited > self._allowed.idle_seconds:
            self.transport.close()


def _is_plain(head: Head) -> bool:
    """Whether the parser is as it was after such a request and its body, and the client waits for nothing."""
    fields = head.headers
    framed = b"transfer-encoding" in fields or b"upgrade" in fields or b"expect" in fields
    return head.method == "POST" and head.keep_alive and not framed
