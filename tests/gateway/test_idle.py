"""Connections on which nothing is asked any more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from uvicorn.server import ServerState

from scrimp.asgi.listening import quiet_config
from scrimp.gateway import parts, serving
from scrimp.gateway.buffered import Buffered
from scrimp.gateway.inbound import Inbound
from scrimp.gateway.protocol import Allowed, GatewayProtocol
from scrimp.gateway.watch import Watch
from tests.gateway.doors import door, request_bytes
from tests.gateway.instant import now, run_at_once, take_its_time
from tests.patience import PATIENCE

IDLE = 8.0
EVERY = 0.1
"""Seconds between two looks at what takes too long, where the shortest of the time limits is a second."""

ASKED = request_bytes("GET", "/healthz", connection="")


class Client(asyncio.Transport):
    """The gateway's side of a connection, and when it was closed."""

    def __init__(self, protocol: GatewayProtocol, own: socket.socket) -> None:
        super().__init__({"socket": own})
        self.said = b""
        self.closed_at: float | None = None
        self._protocol = protocol
        protocol.connection_made(self)

    async def ask(self, request: bytes = ASKED) -> None:
        """Asks, and waits for the answer."""
        self.said = b""
        self.send(request)
        while not self.said:
            await asyncio.sleep(0.01)
        assert self.said.startswith(b"HTTP/1.1 200")

    def send(self, data: bytes) -> None:
        """What the client says."""
        self._protocol.data_received(data)

    def write(self, data: Any) -> None:
        self.said += data

    def is_closing(self) -> bool:
        return self.closed_at is not None

    def close(self) -> None:
        self.closed_at = now() if self.closed_at is None else self.closed_at

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def answering_after(seconds: float) -> Callable[[Inbound], Coroutine[Any, Any, None]]:
    async def serve(inbound: Inbound) -> None:
        await asyncio.sleep(seconds)
        await inbound.respond(200, [], b"{}")

    return serve


async def no_app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the gateway's own connections need no ASGI")


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A connection to an application that takes so many seconds, inside a loop."""
    take_its_time(monkeypatch, "scrimp.gateway.protocol", "scrimp.gateway.watch")

    @asynccontextmanager
    async def connection(seconds: float = 0.0) -> AsyncIterator[Client]:
        state, allowed = ServerState(), Allowed(9_000, 9_000, 9_000, 1.0, 1.0, IDLE)
        config = quiet_config(no_app, keep_alive=IDLE)
        looking = asyncio.create_task(Watch(10 * EVERY).run(partial(serving._look, state)))
        with socket.socket() as own:
            serving_ = answering_after(seconds)
            made = GatewayProtocol(serving_, config, state, allowed=allowed, buffered=Buffered(2**20))
            yield Client(made, own)
            looking.cancel()

    return connection


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_a_connection_is_kept_between_requests_and_closed_when_nothing_is_asked_on_it(
    connected: Callable[..., Any], asked: int
) -> None:
    async def main() -> float:
        async with connected() as line:
            begin = now()
            for _ in range(asked):
                await line.ask()
                begin = now()
                await asyncio.sleep(0.75 * IDLE)
                assert not line.is_closing()
            await asyncio.sleep(2 * IDLE)
            return float(line.closed_at - begin)

    assert run_at_once(main()) == pytest.approx(IDLE, abs=2 * EVERY)


def test_a_connection_that_waits_for_its_answer_does_not_idle(connected: Callable[..., Any]) -> None:
    async def main() -> bool:
        async with connected(4 * IDLE) as line:
            await line.ask()
            await line.ask()
            return bool(line.is_closing())

    assert run_at_once(main()) is False


def test_a_connection_idles_when_the_rest_of_what_was_answered_already_has_come(
    connected: Callable[..., Any],
) -> None:
    async def main() -> float:
        async with connected() as line:
            request = request_bytes("POST", "/", b"12345", connection="")
            await line.ask(request[:-2])
            line.send(request[-2:])
            begin = now()
            await asyncio.sleep(2 * IDLE)
            return float(line.closed_at - begin)

    assert run_at_once(main()) == pytest.approx(IDLE, abs=2 * EVERY)


@pytest.mark.parametrize("asked", [0, 1])
def test_the_gateway_closes_what_idles(asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr(serving, "IDLE_SECONDS", 1.0)
    with (
        door(timeouts={"headers": 1.0}) as way,
        socket.create_connection(("127.0.0.1", way.gateway.port), timeout=PATIENCE) as line,
    ):
        for _ in range(asked):
            line.sendall(ASKED)
            assert line.recv(65536).startswith(b"HTTP/1.1 200")
        assert line.recv(1) == b""
