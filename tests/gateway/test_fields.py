"""Requests of one connection that share what their headers say, and those that only look as if they could."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest

from scrimp.gateway.headers import Fields
from scrimp.gateway.upstream import UpstreamError, lines_of
from scrimp.stores.keys import Key
from tests.gateway.doors import KeyRing, ask, door, encoded, request_bytes
from tests.gateway.fixed_answer import fixed_answer, whole
from tests.patience import PATIENCE

BODY = encoded(ask())
LONGER = encoded(ask("Hello again."))
CHUNKED = {"transfer_encoding": "chunked", "content_length": ""}


def keyed(secret: str, body: bytes = BODY, **headers: str) -> bytes:
    """A call on a connection that stays open."""
    return request_bytes("POST", "/v1/messages", body, **{"x_api_key": secret, "connection": "", **headers})


def in_chunks(body: bytes, *trailers: bytes) -> bytes:
    """A body in one chunk, and headers behind it."""
    return b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, b"".join(line + b"\r\n" for line in trailers))


def asked(port: int, calls: Iterable[bytes]) -> list[int]:
    """The status of each answer, one after the other on one connection."""
    found = []
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line,
        line.makefile("rb") as reader,
    ):
        for call in calls:
            line.sendall(call)
            found.append(int(reader.readline().split()[1]))
            length = 0
            while (header := reader.readline()) != b"\r\n":
                name, _, value = header.partition(b": ")
                length = int(value) if name.lower() == b"content-length" else length
            assert len(reader.read(length)) == length
    return found


def test_each_request_of_a_connection_is_its_own_callers() -> None:
    keys = KeyRing(one=Key(name="one", user="1"), two=Key(name="two", user="2"))
    trailing = in_chunks(BODY, b"x-api-key: scrimp-two", b"x-scrimp-agent: nobody")
    calls = [
        (keyed("scrimp-one"), 200, "one", None),
        (keyed("scrimp-one", LONGER), 200, "one", None),
        (keyed("scrimp-two"), 200, "two", None),
        (keyed("scrimp-one", x_scrimp_agent="first"), 200, "one", "first"),
        (keyed("scrimp-one", x_scrimp_agent="second"), 200, "one", "second"),
        (keyed("scrimp-one", trailing, **CHUNKED), 200, "one", None),
        (keyed(""), 401, None, None),
        (keyed("scrimp-none"), 401, None, None),
        (keyed("scrimp-one"), 200, "one", None),
    ]
    with door(keys=keys, serve={"auth": "keys"}, upstream_keys={"anthropic": "sk-upstream"}) as found:
        statuses = asked(found.gateway.port, (call for call, *_ in calls))
        tags = [record.tags for record in found.records(statuses.count(200))]
    assert statuses == [status for _, status, *_ in calls]
    assert [(one.key, one.agent) for one in tags] == [call[2:] for call in calls if call[1] == 200]


def test_each_request_goes_up_with_its_own_headers() -> None:
    calls = [
        keyed("sk-1", x_own="1"),
        keyed("sk-1", LONGER, x_own="1"),
        keyed("sk-1", x_own="2"),
        keyed("sk-2", x_own="2", x_scrimp_user="me"),
        keyed("sk-2", x_own="2"),
    ]
    with fixed_answer(whole(b"404 Not Found", b"{}")) as upstream, door(upstream=upstream.url) as found:
        assert asked(found.gateway.port, calls) == [404] * len(calls)
    heads = [sent.partition(b"\r\n\r\n")[0].split(b"\r\n") for sent in upstream.requests]
    ours = [
        {line for line in head if line.startswith((b"x-api-key", b"x-own", b"x-scrimp"))} for head in heads
    ]
    assert ours == [
        {b"x-api-key: sk-1", b"x-own: 1"},
        {b"x-api-key: sk-1", b"x-own: 1"},
        {b"x-api-key: sk-1", b"x-own: 2"},
        {b"x-api-key: sk-2", b"x-own: 2"},
        {b"x-api-key: sk-2", b"x-own: 2"},
    ]


def test_requests_with_a_head_that_is_known_go_up_with_their_own_bodies() -> None:
    bodies = [encoded(ask("Hello" + " again" * number)) for number in (0, 1, 2, 300, 0, 0, 5)]
    whole_calls = [keyed("sk-1", body) for body in bodies]
    at_once = [b"".join(whole_calls[4:6]), b"", *whole_calls[6:]]
    calls = [*whole_calls[:4], *at_once, keyed("sk-1", b"not JSON"), keyed("sk-1", BODY)]
    answer = fixed_answer(whole(b"404 Not Found", b"{}"))
    with answer as upstream, door(upstream=upstream.url, serve={"mode": "observe"}) as found:
        statuses = asked(found.gateway.port, calls)
    assert statuses == [404] * len(bodies) + [400, 404]
    assert [sent.partition(b"\r\n\r\n")[2] for sent in upstream.requests] == [*bodies, BODY]


def test_what_goes_up_is_made_anew_for_another_credential() -> None:
    fields = Fields([(b"x-api-key", b"own"), (b"x-one", b"1"), (b"x-api-key", b"own")])
    own = b"x-api-key: own\r\nx-one: 1\r\nx-api-key: own\r\n"
    for _ in range(2):
        assert fields.onwards(None, plain=False) == own
        assert fields.onwards((b"x-api-key", b"2"), plain=False) == b"x-one: 1\r\nx-api-key: 2\r\n"
        assert fields.onwards((b"x-api-key", b"3"), plain=False) == b"x-one: 1\r\nx-api-key: 3\r\n"
        assert fields.onwards(None, plain=True) == own + b"accept-encoding: identity\r\n"


@pytest.mark.parametrize("value", [b"1\r\nx-two: 2", b"1\n", b"1\r", b"1\x00"])
def test_a_header_of_more_than_one_line_does_not_go_up(value: bytes) -> None:
    with pytest.raises(UpstreamError, match="more than one line"):
        lines_of([(b"x-one", value), (b"x-three", b"3")])
