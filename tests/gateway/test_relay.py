"""Streams on their way to clients: those that read slowly, those that leave, and many side by side."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests.gateway.doors import Answered, ask, door, encoded, request_bytes
from tests.patience import PATIENCE, eventually

PART = 2**18
PARTS = 128
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM = encoded(ask(stream=True))


class _Sending:
    """An upstream that answers its only request with a long stream, as fast as it is taken."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent = 0
        self.ended = False


def long_part(number: int) -> bytes:
    """An event of its own."""
    return b"data: " + b"%08d" % number * (PART // 8) + b"\n\n"


@contextmanager
def sending() -> Iterator[_Sending]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = _Sending(f"http://127.0.0.1:{listening.getsockname()[1]}")

        def serve() -> None:
            line, _ = listening.accept()
            with line, suppress(OSError):
                line.recv(2**20)
                line.sendall(HEAD)
                for number in range(PARTS):
                    part = long_part(number)
                    line.sendall(b"%x\r\n%b\r\n" % (len(part), part))
                    found.sent += 1
                line.sendall(b"0\r\n\r\n")
            found.ended = True

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield found
        server.join(PATIENCE)


def standing_still(sending: _Sending) -> int:
    """How much was sent when no more was taken."""
    before = -1

    def stands() -> bool:
        nonlocal before
        last, before = before, sending.sent
        threading.Event().wait(0.1)
        return 0 < last == sending.sent

    eventually(stands)
    return sending.sent


@pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")
def test_a_client_that_reads_slowly_keeps_the_upstream_waiting_and_gets_every_byte() -> None:
    with sending() as upstream, door(upstream=upstream.url) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.gateway.port), timeout=PATIENCE) as line:
            line.sendall(request_bytes("POST", "/v1/messages", STREAM))
            assert standing_still(upstream) < PARTS * 3 // 4
            wire = bytearray()
            while part := line.recv(2**20):
                wire += part
        answered = Answered(bytes(wire))
    assert answered.whole
    assert answered.body == b"".join(map(long_part, range(PARTS)))


@pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")
def test_a_client_that_leaves_ends_its_stream() -> None:
    with sending() as upstream, door(upstream=upstream.url) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.gateway.port), timeout=PATIENCE) as line:
            line.sendall(request_bytes("POST", "/v1/messages", STREAM))
            assert line.recv(2**10)
        eventually(lambda: upstream.ended)
        assert upstream.sent < PARTS
        (record,) = gateway.records(1)
    assert record.outcome != "complete"


def test_streams_side_by_side_are_whole_and_each_is_billed_what_it_says() -> None:
    with door() as gateway, ThreadPoolExecutor(8) as threads:
        asked = [encoded(ask(f"Question {number}.", stream=True)) for number in range(40)]
        answers = list(threads.map(lambda body: gateway.raw("POST", "/v1/messages", body), asked))
        records = gateway.records(len(asked))
    assert all(one.whole and one.status == 200 for one in answers)
    said = [
        json.loads(line[6:]) for one in answers for line in one.body.split(b"\n") if line[:6] == b"data: "
    ]
    billed = sum(event["usage"]["output_tokens"] for event in said if event["type"] == "message_delta")
    assert len(records) == len(asked)
    assert sum(record.usage.output_tokens for record in records) == billed > 0
    assert {record.outcome for record in records} == {"complete"}
