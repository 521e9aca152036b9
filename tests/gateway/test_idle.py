"""Connections on which nothing is asked any more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scrimp.gateway import parts
from tests.gateway.doors import Door, ask, door, encoded, request_bytes

IDLE = 0.6
ANSWER = b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def connected(way: Door) -> socket.socket:
    """A connection of a client."""
    return socket.create_connection(("127.0.0.1", way.gateway.port), timeout=10)


@contextmanager
def slow_upstream(seconds: float) -> Iterator[str]:
    """An upstream that thinks for so long about its only request."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            line, _ = listening.accept()
            with line:
                line.recv(2**20)
                time.sleep(seconds)
                line.sendall(ANSWER)
                line.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_connection_is_kept_between_requests_and_closed_when_nothing_is_asked_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "IDLE_SECONDS", IDLE)
    with door(timeouts={"headers": 1.0}) as way, connected(way) as line:
        for _ in range(3):
            line.sendall(request_bytes("GET", "/healthz", connection=""))
            assert line.recv(65536).startswith(b"HTTP/1.1 200")
            time.sleep(IDLE / 2)
        begin = time.monotonic()
        assert line.recv(1) == b""
        assert time.monotonic() - begin < 5 * IDLE


def test_a_connection_that_waits_for_its_answer_does_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "IDLE_SECONDS", IDLE)
    with (
        slow_upstream(4 * IDLE) as url,
        door(upstream=url, timeouts={"headers": 1.0}) as way,
        connected(way) as line,
    ):
        line.sendall(request_bytes("GET", "/healthz", connection=""))
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.sendall(request_bytes("POST", "/v1/messages", encoded(ask()), connection=""))
        assert line.recv(65536).startswith(b"HTTP/1.1 404")
