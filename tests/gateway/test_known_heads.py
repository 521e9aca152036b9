"""Requests told by the bytes of their head, beside what a parser makes of the same bytes."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scrimp.gateway.known_heads import known_head

HEAD = b"POST /v1/messages HTTP/1.1\r\nhost: here\r\nContent-Length: %d\r\nx-api-key: one\r\n\r\n"


def request(body: bytes, head: bytes = HEAD) -> bytes:
    return head % len(body) + body


class Seen:
    """What a parser makes of a request."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.ends: list[int] = []
        self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.ends = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ends.append(len(self.headers))


@given(st.binary(max_size=30), st.binary(max_size=2_000))
@example(b"", b"")
@example(b"\r\n\r\n", b"\r\n\r\n")
def test_the_same_head_around_another_body_is_known(first: bytes, second: bytes) -> None:
    known = known_head(request(first), b"%d" % len(first))
    assert known is not None
    assert known.read(request(second)) == (b"%d" % len(second), second)


parts: Any = st.one_of(
    st.sampled_from(
        [b"Content-Length: 3", b"content-length:3", b"POST / HTTP/1.1", b"x: y", HEAD % 3, HEAD % 0]
    ),
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"0", b"1", b"3", b"abc", b" ", b"\t", b"+", b"-"]),
)


@given(st.lists(parts, max_size=6).map(b"".join), st.integers(0, 120), st.integers(0, 120))
def test_what_is_known_is_what_a_parser_finds(piece: bytes, at: int, dropped: int) -> None:
    known = known_head(request(b"abc"), b"3")
    assert known is not None
    data = request(b"abc")
    changed = data[:at] + piece + data[at + dropped :]
    found = known.read(changed)
    if found is not None:
        seen = Seen(changed)
        assert seen.ends == [3]
        assert (seen.headers[1][1], seen.body) == found


@given(st.lists(parts, max_size=8).map(b"".join), st.binary(max_size=9))
def test_a_head_is_kept_as_the_parser_found_it(piece: bytes, body: bytes) -> None:
    data = b"POST / HTTP/1.1\r\n" + piece + b"\r\n" + body
    seen = Seen(data)
    lengths = [value for name, value in seen.headers if name.lower() == b"content-length"]
    if len(seen.ends) != 1 or len(lengths) != 1:
        return
    known = known_head(data, lengths[0])
    if known is not None:
        assert known.before + lengths[0] + known.behind + seen.body == data


@pytest.mark.parametrize(
    "data",
    [
        request(b"abc")[:-1],
        request(b"abc") + b"\r\n",
        request(b"abc") + request(b"abc"),
        request(b"abc").replace(b": 3", b":  3"),
        request(b"abc").replace(b": 3", b": +3"),
        request(b"abc").replace(b": 3", b": "),
        request(b"abc").replace(b": 3", b": 3 "),
        request(b"abc").replace(b"one", b"two"),
        request(b"abc").replace(b"POST", b"post"),
        request(b"abc").replace(b": 3", b": " + b"0" * 40 + b"3"),
        b"",
    ],
)
def test_what_is_not_the_same_and_whole_goes_to_the_parser(data: bytes) -> None:
    known = known_head(request(b"abc"), b"3")
    assert known is not None
    assert known.read(data) is None


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (request(b"abc") + request(b""), b"0"),
        (request(b"abc") + b"\r\n", b"3"),
        (b"\r\n", b""),
        (request(b"abc").replace(b"x-api-key: one", b"Content-Length: 3"), b"3"),
        (b"POST / HTTP/1.1\nContent-Length: 6\n\nab\r\n\r\n", b"6"),
    ],
)
def test_a_head_that_may_not_be_alone_is_not_kept(data: bytes, length: bytes) -> None:
    assert known_head(data, length) is None
