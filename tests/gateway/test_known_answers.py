"""Answers told by the headers of one before, beside what a parser makes of the same bytes."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scrimp.asgi.shapes import Headers
from scrimp.gateway.known_answers import KnownAnswer, known_answer
from scrimp.gateway.upstream import Way
from tests.gateway.doors import ask, door, encoded, request_bytes
from tests.gateway.fixed_answer import fixed_answer
from tests.gateway.test_gateway_upstream import get, head_of, run
from tests.patience import PATIENCE

HEAD = b"HTTP/1.1 200 OK\r\nServer: here\r\nrequest-id: %b\r\nContent-Length: %d\r\nx-last: 1 2\r\n\r\n"


def answer(body: bytes, said: bytes = b"req_1", head: bytes = HEAD) -> bytes:
    return head % (said, len(body)) + body


class Seen:
    """What a parser makes of an answer."""

    def __init__(self, data: bytes) -> None:
        self.headers: Headers = []
        self.body = b""
        self.ends = 0
        self.alive = False
        self.parser = httptools.HttpResponseParser(self)
        self.parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.ends = -1

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ends += 1
        self.alive = self.parser.should_keep_alive()


def learned(data: bytes) -> KnownAnswer | None:
    """What is known after an answer."""
    return known_answer(data, Seen(data).headers)


@given(st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True), st.binary(max_size=2_000))
@example(b"req_2", b"")
@example(b"x: y", b"\r\n\r\n")
def test_an_answer_with_the_same_headers_is_known_whatever_they_say(said: bytes, body: bytes) -> None:
    known = learned(answer(b"abc"))
    assert known is not None
    data = answer(body, said)
    named = {b"server": b"here", b"request-id": said, b"content-length": b"%d" % len(body), b"x-last": b"1 2"}
    headers = list(zip((b"Server", b"request-id", b"Content-Length", b"x-last"), named.values(), strict=True))
    assert known.read(data) == (headers, named, data[: len(data) - len(body)], body)


pieces: Any = st.one_of(
    st.sampled_from([b"Content-Length: 3", b"content-length:3", b"connection: close", b"HTTP/1.1 200 OK"]),
    st.sampled_from(
        [b"\xff", b"transfer-encoding: chunked\r\n", b"x: y\r\n", b"\r\n y", HEAD % (b"req_1", 3)]
    ),
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"0", b"1", b"3", b"abc", b" ", b"\t", b"+", b"\xff"]
    ),
)


@given(st.lists(pieces, max_size=6).map(b"".join), st.integers(0, 110), st.integers(0, 110))
def test_what_is_known_is_what_a_parser_finds(piece: bytes, at: int, dropped: int) -> None:
    known, data = learned(answer(b"abc")), answer(b"abc")
    assert known is not None
    changed = data[:at] + piece + data[at + dropped :]
    found = known.read(changed)
    if found is not None:
        headers, named, head, body = found
        seen = Seen(changed)
        assert (seen.ends, seen.parser.get_status_code(), seen.alive) == (1, 200, True)
        assert (seen.headers, seen.body) == (headers, body)
        assert head == b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b: %b\r\n" % one for one in headers) + b"\r\n"
        assert named == {name.lower(): value for name, value in headers}


@pytest.mark.parametrize(
    "data",
    [
        answer(b"abc")[:-1],
        answer(b"abc") + b"\r\n",
        answer(b"abc") + answer(b"abc"),
        answer(b"abc").replace(b": 3", b":  3"),
        answer(b"abc").replace(b": 3", b": 03"),
        answer(b"abc").replace(b"req_1", b"req_1 "),
        answer(b"abc").replace(b"req_1", b"req\t1"),
        answer(b"abc").replace(b"req_1", "é".encode()),
        answer(b"abc").replace(b"request-id", b"Request-Id"),
        answer(b"abc").replace(b"200 OK", b"500 OK"),
        answer(b"abc").replace(b"1.1", b"1.0"),
        answer(b"abc").replace(b"Server: here\r\n", b""),
        answer(b"abc").replace(b"\r\n", b"\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"abc"),
        b"",
    ],
)
def test_what_is_not_the_same_and_whole_goes_to_the_parser(data: bytes) -> None:
    known = learned(answer(b"abc"))
    assert known is not None
    assert known.read(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nx-one: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-one: 1\r\nX-One: 2\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 Fine\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        answer(b"abc") + b"HTTP",
    ],
)
def test_a_head_that_says_too_little_is_not_kept(data: bytes) -> None:
    assert learned(data) is None


def test_what_is_for_one_connection_has_to_be_the_same_and_does_not_go_on() -> None:
    head = HEAD.replace(b"Server: here", b"Connection: keep-alive")
    known = learned(answer(b"abc", head=head))
    assert known is not None
    found = known.read(answer(b"0123", b"req_2", head))
    assert found is not None
    assert found[2:] == (b"", b"0123")
    assert known.read(answer(b"0123", head=head.replace(b"keep-alive", b"close"))) is None


def test_answers_over_one_connection_are_each_their_own() -> None:
    bodies = [b"", b"one", b"two", b"three" * 9_000, b"\r\n\r\n", b"six", b"seven"]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, body in enumerate(bodies):
            await head_of(reader)
            data = answer(body, b"req_%d" % number)
            if number == len(bodies) - 2:  # in two pieces
                writer.write(data[:40])
                await asyncio.sleep(0.02)
                data = data[40:]
            writer.write(data)

    async def use(way: Way, url: str) -> list[tuple[int, str, int, bytes]]:
        found = []
        for _ in bodies:
            came, body = await get(way, url)
            found.append((came.status, came.headers["request-id"], len(came.raw_headers), body))
        return found

    assert run(script, use) == [(200, f"req_{number}", 4, body) for number, body in enumerate(bodies)]


def test_clients_get_known_answers_as_they_get_others() -> None:
    call = request_bytes("POST", "/v1/messages/count_tokens", encoded(ask()), x_api_key="sk-1", connection="")
    last = call.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    wire = answer(b'{"input_tokens": 3}')

    async def asked(port: int) -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = []
        for one in [call] * 4 + [last]:
            writer.write(one)
            head = await reader.readuntil(b"\r\n\r\n")
            found.append(head + await reader.readexactly(19))
        assert await reader.read() == b""
        writer.close()
        return found

    with fixed_answer(wire) as upstream, door(upstream=upstream.url) as found:
        came = asyncio.run(asyncio.wait_for(asked(found.gateway.port), PATIENCE))
    assert came[:-1] == [wire] * 4
    assert came[-1] == wire.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
