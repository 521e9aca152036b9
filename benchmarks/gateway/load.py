"""Closed-loop load: so many kept connections, each sending its next request when it has the last answer.

    python -m benchmarks.gateway.load SEED

Reads one `Job` a line from standard input and prints one `Seen` a line, both as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import cast

import httptools
import msgspec
import uvloop

from benchmarks.gateway.bodies import SIZES, Family, family

__all__ = ["Job", "Seen"]

_WARM_SECONDS = 0.25
_STAMP = re.compile(rb"@(\d{18})@")
_LAST_EVENT = b"event: message_stop"
_PATIENCE = 20.0
_TAIL = 200


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where, and for how long. `size` names one of `SIZES`; `grows`: no two are equal."""

    port: int
    headers: dict[str, str]
    size: str
    connections: int
    seconds: float
    grows: bool = False
    stream: bool = False
    paced: bool = False


class Seen(msgspec.Struct, kw_only=True):
    """What came back. Latencies and delays in microseconds, as whole numbers.

    `answered` counts those of the warm-up too. `delays` are those of events, from the upstream's stamp until
    the client has read them. `faults` counts answers that were not good ones, by what they said.
    """

    requests: int = 0
    answered: int = 0
    seconds: float = 0.0
    latencies: list[int] = []
    delays: list[int] = []
    faults: dict[str, int] = {}


class _Run:
    """One job under way, shared by its connections."""

    def __init__(self, job: Job, bodies: Family, numbers: Iterator[int]) -> None:
        self.job = job
        self.bodies = bodies
        self.numbers = numbers
        self.seen = Seen()
        begin = time.monotonic()
        self.warm_until = begin + _WARM_SECONDS
        self.until = self.warm_until + job.seconds
        self.heads = [_head(job, len(body)) for body in bodies.steps]

    def body(self, step: int, conversation: int) -> bytes:
        """A request; one that is repeated is not made again."""
        return self.bodies.body(step, conversation) if self.job.grows else self.bodies.steps[0]

    def ended(self, begun: float, now: float, fault: str | None) -> None:
        """An answer is complete, or never will be."""
        self.seen.answered += 1
        if fault is not None:
            self.seen.faults[fault] = self.seen.faults.get(fault, 0) + 1
        elif now >= self.warm_until and now <= self.until:
            self.seen.requests += 1
            if begun >= self.warm_until:
                self.seen.latencies.append(round((now - begun) * 1e6))


class _Connection(asyncio.Protocol):
    """Sends the requests of one conversation after another until the time is up."""

    def __init__(self, run: _Run, ended: asyncio.Future[None]) -> None:
        self._run = run
        self._ended = ended
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._step = 0
        self._conversation = next(run.numbers)
        self._begun = 0.0
        self._length = 0
        self._tail = b""
        self._text: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by name
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self._ended.done():
            self._run.ended(self._begun, time.monotonic(), "the connection was closed")
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._run.job.stream:
            self._delays(data)
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """An answer begins (a callback of the parser, as those below)."""
        self._text, self._tail, self._length = [], b"", 0

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._length += len(body)
        self._tail = (self._tail + body)[-_TAIL:]

    def on_message_complete(self) -> None:
        """All of it is there: send the next request."""
        now = time.monotonic()
        self._run.ended(self._begun, now, self._fault())
        if now < self._run.until:
            self._send()
            return
        self._ended.set_result(None)
        self._transport.close()

    def _fault(self) -> str | None:
        status = self._parser.get_status_code()
        whole = _LAST_EVENT in self._tail if self._run.job.stream else self._length > _TAIL
        if status == 200 and whole:
            return None
        return f"{status}: {self._tail.decode(errors='replace')}"

    def _delays(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if now < self._run.warm_until * 1e9:
            return
        self._run.seen.delays += [(now - int(stamp)) // 1000 for stamp in _STAMP.findall(data)]

    def _send(self) -> None:
        run, step = self._run, self._step
        self._begun = time.monotonic()
        self._transport.writelines([run.heads[step], run.body(step, self._conversation)])
        if run.job.grows:
            self._step = (step + 1) % len(run.bodies.steps)
            self._conversation = self._conversation if self._step else next(run.numbers)


def _head(job: Job, length: int) -> bytes:
    lines = [
        "POST /v1/messages HTTP/1.1",
        f"host: 127.0.0.1:{job.port}",
        "content-type: application/json",
        "accept: application/json",
        "anthropic-version: 2023-06-01",
        "user-agent: Anthropic/Python 2.11.0",
        *(f"{name}: {value}" for name, value in job.headers.items()),
        f"content-length: {length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def _perform(job: Job, bodies: Family, numbers: Iterator[int]) -> Seen:
    loop = asyncio.get_running_loop()
    run = _Run(job, bodies, numbers if job.grows else iter([0] * job.connections))
    ends: list[asyncio.Future[None]] = []
    for number in range(job.connections):
        ended = loop.create_future()
        ends.append(ended)
        await loop.create_connection(lambda: _Connection(run, ended), "127.0.0.1", job.port)  # noqa: B023 - called at once
        if job.paced:
            await asyncio.sleep(0.61 * number % 0.02)  # the streams do not tick together
    _, late = await asyncio.wait(ends, timeout=job.seconds + _PATIENCE)
    if late:
        run.seen.faults["no answer within the time"] = len(late)
    run.seen.seconds = job.seconds
    return run.seen


async def _work(seed: int) -> None:
    families: dict[tuple[str, bool, bool], Family] = {}
    numbers = count(1)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        job = msgspec.json.decode(line, type=Job)
        kind = job.size, job.stream, job.paced
        if kind not in families:
            families[kind] = family(SIZES[job.size], seed=seed, stream=job.stream, paced=job.paced)
        gc.collect()
        gc.disable()  # a pause of the load would be taken for the proxy's
        seen = await _perform(job, families[kind], numbers)
        gc.enable()
        print(msgspec.json.encode(seen).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(_work(int(sys.argv[1])))
