"""One connection to an upstream: a request out, its answer in, then the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

import aiohttp
import httptools
from aiohttp.connector import Connection

from scrimp.asgi.shapes import Headers
from scrimp.gateway.known_answers import KnownAnswer, Told, known_answer

__all__ = ["BrokenOffError", "Line", "UpstreamAnswer"]

_KEPT_BYTES = 2**19
"""Of an answer that nobody takes; the upstream has to wait with the rest."""

_HEAD_BYTES = 2**18
_COPIED_BYTES = 2**15
"""Up to which head and body are put into one piece: two pieces are two packets."""

_SWITCHING = 101


class BrokenOffError(Exception):
    """The connection ended before the answer did. Without text of either."""


class UpstreamAnswer:
    """An answer whose headers are there; its body comes in parts, as they come."""

    __slots__ = (
        "_cut",
        "_line",
        "_parts",
        "_size",
        "_take",
        "_waiting",
        "_whole",
        "head",
        "named",
        "raw_headers",
        "status",
    )

    def __init__(
        self, line: Line, status: int, headers: Headers, named: Mapping[bytes, bytes], head: bytes = b""
    ) -> None:
        self.status = status
        self.raw_headers = headers
        self.named = named
        """The headers by names in small letters; the first of several of one name."""
        self.head = head
        """The head as it came, where it is one that we would write like that; else empty."""
        self._line = line
        self._parts: list[bytes] = []
        self._size = 0
        self._whole = False
        self._cut: str | None = None
        self._take: Callable[[bytes, bool], bool] | None = None
        self._waiting: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> str | None:
        """What the header of that name, in small letters, says."""
        value = self.named.get(name)
        return None if value is None else _text(value)

    @property
    def headers(self) -> dict[str, str]:
        """As `named`, as text: all of them are made anew."""
        return {name.decode("latin-1"): _text(value) for name, value in self.named.items()}

    def is_over(self) -> bool:
        """Whether all of it was taken, to an end that is one."""
        return self._whole and not self._parts

    def at_hand(self) -> bytes:
        """What is there and was not taken yet; nothing where there is nothing, which need not be the end."""
        parts, self._parts, self._size = self._parts, [], 0
        if not self._whole:
            self._line.go_on()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def part(self) -> bytes:
        """What comes next; nothing at the end. Raises `BrokenOffError` when what came before it was taken."""
        if not self._parts and not self._whole and self._cut is None:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        if self._parts or self._whole:
            return self.at_hand()
        raise BrokenOffError(self._cut)

    async def passed(self, take: Callable[[bytes, bool], bool]) -> bytes:
        """As `part`, but what comes meanwhile is given to `take`, before anything else is done.

        It says whether it took it; what it did not take is what comes next. It is also told whether that was
        all.
        """
        self._take = take
        try:
            return await self.part()
        finally:
            self._take = None

    async def read(self) -> bytes:
        """The whole body. Raises `BrokenOffError`."""
        parts = [await self.part()]
        while parts[-1]:
            parts.append(await self.part())
        return b"".join(parts)

    def close(self) -> None:
        """No more of it is wanted; a connection whose answer is not over cannot be used again."""
        if not self._whole:
            self._line.close()

    def came(self, part: bytes) -> bool:
        """A part came; whether so much is there now that no more should."""
        self._parts.append(part)
        self._size += len(part)
        if self._waiting is not None and self._take is None:
            self._wake(self._waiting)
        return self._size > _KEPT_BYTES

    def pass_on(self) -> None:
        """Nothing more came just now: give what did to whoever takes it."""
        if self._take is None or not self._parts:
            return
        part = self.at_hand()
        if not self._take(part, self._whole):
            self._parts, self._size = [part], len(part)
            if self._waiting is not None:
                self._wake(self._waiting)

    def end(self, broken: str | None = None) -> None:
        """All of it came, or it is `broken` off."""
        self._whole, self._cut = broken is None, broken
        if self._waiting is not None:
            self._wake(self._waiting)

    def _wake(self, waiting: asyncio.Future[None]) -> None:
        self._waiting = None
        if not waiting.done():
            waiting.set_result(None)


class Line(asyncio.Protocol):
    """Takes the place of aiohttp's protocol on a connection that its connector has made.

    aiohttp's makes a parser, a queue and a stream for each answer, which takes longer than all else on the
    way there and back. What comes without having been asked for ends the connection.
    """

    def __init__(self, connection: Connection, idle: deque[Line]) -> None:
        """`idle` is where it goes while nothing is asked. Raises OSError where it is closed already."""
        transport, made_with = connection.transport, connection.protocol
        if transport is None or made_with is None or transport.is_closing():
            connection.close()
            raise aiohttp.ClientConnectionResetError
        self.since = 0.0
        """Since when it is idle."""
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._made_with = made_with
        self._transport = transport
        self._idle = idle
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._asked: asyncio.Future[UpstreamAnswer] | None = None
        self._answer: UpstreamAnswer | None = None
        self._headers: Headers = []
        self._head = 0
        self._without_body = False
        self._paused = False
        self._known: KnownAnswer | None = None
        self._names: list[bytes] = []  # of the headers of the last answer that was not known
        self._over: Headers = []  # those of an answer that ended with what is being read
        transport.set_protocol(self)

    def is_closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._transport.is_closing()

    def ask(
        self, request: Sequence[bytes | memoryview], length: int, *, without_body: bool
    ) -> asyncio.Future[UpstreamAnswer]:
        """Send a request; the answer, once its headers are there, or why there is none.

        Its head and the parts of its body, which has so many bytes, go out one behind the other.
        `without_body`: the answer has none whatever its headers say.
        """
        asked = self._asked = self._loop.create_future()
        self._head, self._without_body = 0, without_body
        if length <= _COPIED_BYTES:
            self._transport.write(b"".join(request))
        else:
            self._transport.writelines(request)
        return asked

    def give_up(self, asked: asyncio.Future[UpstreamAnswer]) -> None:
        """Whoever asked was cancelled."""
        if asked.cancelled() or asked.exception() is not None:
            self.close()
        else:  # the answer came at the same moment: this may serve another request by now
            asked.result().close()

    def go_on(self) -> None:
        """What came was taken."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection; twice is as once."""
        self._connection.close()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        answer, fresh = self._answer, self._asked is not None and not self._head
        if fresh and self._known is not None:
            found = self._known.read(data)
            if found is not None and self._came_again(found):
                return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(aiohttp.ClientPayloadError())
        if answer is not None:
            answer.pass_on()
        if self._asked is not None:
            self._head += len(data)
            if self._head > _HEAD_BYTES:
                self._fail(aiohttp.ClientPayloadError())
        if self._over:
            if fresh:
                self._learn(data, self._over)
            self._over = []

    def _learn(self, data: bytes, headers: Headers) -> None:
        """The answer in `data` was whole: one with its headers is known, if they come a second time."""
        names = [name for name, _ in headers]
        if names == self._names:
            self._known = known_answer(data, headers) or self._known
        self._names = names

    def _came_again(self, found: Told) -> bool:
        """What the parser's callbacks do for an answer that is known and whole; whether somebody takes it."""
        asked = self._asked
        if asked is None or asked.done() or self._without_body or self._transport.is_closing():
            return False
        headers, named, head, body = found
        self._asked = None
        answer = UpstreamAnswer(self, 200, headers, named, head)
        answer.came(body)
        answer.end()
        asked.set_result(answer)
        self.since = monotonic()
        self._idle.append(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._made_with.connection_lost(exc)
        answer = self._answer
        if answer is not None and exc is None and not _is_framed(answer.raw_headers):
            self._answer = None
            answer.end()
        self._fail(exc or aiohttp.ServerDisconnectedError())

    def on_message_begin(self) -> None:
        """An answer begins (a callback of the parser, as those below)."""
        if self._asked is None:
            raise ValueError("an answer to nothing")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or what comes as one behind the body."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        headers, self._headers = self._headers, []
        status = self._parser.get_status_code()
        asked = self._asked
        if asked is None or (100 <= status < 200 and status != _SWITCHING):  # the answer is still to come
            return
        self._asked = None
        if asked.cancelled():
            self.close()
            return
        answer = self._answer = UpstreamAnswer(self, status, headers, _by_name(headers))
        asked.set_result(answer)
        if self._without_body:
            self._answer = None
            answer.end()
            self.close()  # the parser does not know, and would wait for it

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._answer is not None and self._answer.came(body) and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is over."""
        answer, self._answer = self._answer, None
        self._headers = []
        if answer is None:  # only an interim one
            return
        answer.end()
        if self._parser.should_keep_alive() and not self._transport.is_closing():
            if self._paused:
                self.go_on()
            self.since = monotonic()
            self._idle.append(self)
            self._over = answer.raw_headers
        else:
            self.close()

    def _fail(self, error: Exception) -> None:
        """Nothing more comes, or nothing that could be read."""
        asked, self._asked = self._asked, None
        answer, self._answer = self._answer, None
        if asked is not None and not asked.done():
            asked.set_exception(error)
        if answer is not None:
            answer.end(type(error).__name__)
        self.close()


def _by_name(headers: Headers) -> dict[bytes, bytes]:
    """By names in small letters; the first of several of one name."""
    named: dict[bytes, bytes] = {}
    for name, value in headers:  # most answers have a few: a comprehension would take longer to begin
        lower = name.lower()
        if lower not in named:
            named[lower] = value
    return named


def _text(value: bytes) -> str:
    return value.decode() if value.isascii() else value.decode("utf-8", "surrogateescape")


def _is_framed(headers: Headers) -> bool:
    """Whether the headers say where the body ends; else it does where the connection does."""
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-length" or (lower == b"transfer-encoding" and b"chunked" in value.lower()):
            return True
    return False
