"""A provider that costs next to nothing: canned answers, streams of a hundred stamped events.

    python -m benchmarks.gateway.upstream SEED

Prints its port, and serves until its standard input ends. `GET /sums` tells what was answered so far and what
that was billed in all. Every event of a stream is a `send` of its own and carries the time it was sent,
nanoseconds of the monotonic clock between two `@`; answers that break off are not counted.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import httptools
import uvloop

from benchmarks.gateway.bodies import MODEL, SIZES, Usage, asked_step, family, is_repeated, sent_again

__all__ = ["DELTAS", "EVENTS", "PACE", "Sums"]

DELTAS = 95
EVENTS = DELTAS + 5
PACE = 0.02
"""Seconds between two events of a paced stream."""

_STREAM = b'"stream":true'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"request-id: req_%012d\r\ncontent-length: %d\r\n\r\n"
)
_STREAMED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"request-id: req_%012d\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LARGE = 50_000

Sums = dict[str, int]
"""What was answered: `requests`, and the tokens of each kind."""


class Canned:
    """Answers by size of the request and step, and the sums of what was billed."""

    def __init__(self, seed: int) -> None:
        self._usages = {name: family(size, seed=seed).usages for name, size in SIZES.items()}
        self._numbers = 0
        self._written: set[tuple[str, int]] = set()
        self.sums: Sums = dict.fromkeys(("requests", *Usage._fields), 0)

    def usage(self, body: bytes) -> tuple[Usage, bool]:
        """What a request is billed, and whether its events are paced."""
        step, paced = asked_step(body)
        size = "200 KB" if len(body) > _LARGE else "2 KB"
        usage = self._usages[size][step]
        if is_repeated(body):
            usage = sent_again(usage) if (size, step) in self._written else usage
            self._written.add((size, step))
        return usage, paced

    def number(self) -> int:
        """One more answer."""
        self._numbers += 1
        return self._numbers

    def billed(self, usage: Usage) -> None:
        """An answer was sent to its end."""
        self.sums["requests"] += 1
        for name, tokens in usage._asdict().items():
            self.sums[name] += tokens


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._body: list[bytes] = []
        self._target = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by name

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        """A request begins (a callback of the parser, as those below)."""
        self._body, self._target = [], b""

    def on_url(self, url: bytes) -> None:
        """Its target."""
        self._target += url

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """All of it is there: answer."""
        if self._target == b"/sums":
            self._send_json(json.dumps(self._canned.sums).encode(), 0)
            return
        body = b"".join(self._body)
        usage, paced = self._canned.usage(body)
        number = self._canned.number()
        if not _streams(body):
            self._send_json(_message(number, usage), number)
            self._canned.billed(usage)
            return
        self._transport.write(_STREAMED % number)
        self._send_events(_events(number, usage), usage, PACE if paced else 0.0)

    def _send_json(self, body: bytes, number: int) -> None:
        self._transport.write(_ANSWER % (number, len(body)) + body)

    def _send_events(self, events: Iterator[bytes], usage: Usage, pace: float) -> None:
        """The next event, and soon the one after it."""
        if self._transport.is_closing():
            return
        event = next(events, None)
        if event is None:
            self._transport.write(b"0\r\n\r\n")
            self._canned.billed(usage)
            return
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        loop = asyncio.get_running_loop()
        if pace:
            loop.call_later(pace, self._send_events, events, usage, pace)
        else:
            loop.call_soon(self._send_events, events, usage, pace)


def _streams(body: bytes) -> bool:
    return _STREAM in body or b'"stream": true' in body


def _fields(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.plain,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def _body(number: int, usage: Usage, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"msg_{number:024}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "The state is read before every step. " * 8}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _fields(usage),
        **changed,
    }


def _message(number: int, usage: Usage) -> bytes:
    return json.dumps(_body(number, usage), separators=(",", ":")).encode()


def _events(number: int, usage: Usage) -> Iterator[bytes]:
    """The events of a stream, each made when it is sent."""
    begun = _body(number, usage._replace(output=1), content=[], stop_reason=None)
    yield _event("message_start", message=begun)
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for _ in range(DELTAS):
        yield _DELTA % time.monotonic_ns()
    yield _event("content_block_stop", index=0)
    done = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event("message_delta", delta=done, usage={"output_tokens": usage.output})
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


_DELTA = _event("content_block_delta", index=0, delta={"type": "text_delta", "text": "state @%018d@ "})


async def _serve(seed: int) -> None:
    canned = Canned(seed)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(canned), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.freeze()
    gc.disable()  # a pause of the upstream would be taken for the proxy's
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
