"""An upstream that answers nonsense: they get it as it is, or an error in the provider's shape; none hang."""

from __future__ import annotations

import json
from random import Random

import pytest

from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Limits, Serve, Settings, Timeouts, Upstream
from scrimp.stores.memory import MemoryLedger
from tests.gateway.fixed_answer import Answered, ask, chunked, fixed_answer, whole

pytestmark = pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")

BODY = json.dumps(
    {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "CANARY"}]}
).encode()
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"content-type: application/json\r\n"
STREAM = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

NOISE = Random(1).randbytes(500)  # noqa: S311 - the same ones every time
NOT_HTTP = {
    "nothing": b"",
    "noise": NOISE,
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "half a status line": b"HTTP/1.1 20",
    "half a header": OK + b"content-ty",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a header without a colon": OK + b"nonsense\r\n\r\n",
    "an endless header": OK + b"x: " + b"a" * 300_000,
    "a length of letters": OK + b"content-length: abc\r\n\r\n{}",
    "a status beyond all": whole(b"799 Beyond", b"{}"),
    "only an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
}
"""None of these is an answer that could be passed on."""

BROKEN_OFF = {
    "a body too short": JSON + b"content-length: 500\r\n\r\n{}",
    "a chunk too short": JSON + b"transfer-encoding: chunked\r\n\r\nff\r\n{}",
    "a chunk of letters": JSON + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n",
    "a stream without an end": STREAM + b"10\r\nevent: ping\ndata:\r\n",
}
"""Answers that begin well: what came is passed on, and the client sees that it broke off."""

JSON_TYPE = b"content-type: application/json"
ODD = {
    "no JSON": whole(b"200 OK", b"hello", JSON_TYPE),
    "usage of letters": whole(b"200 OK", b'{"usage":{"input_tokens":"abc"}}', JSON_TYPE),
    "negative usage": whole(b"200 OK", b'{"usage":{"input_tokens":-5,"output_tokens":-1}}', JSON_TYPE),
    "huge usage": whole(b"200 OK", b'{"usage":{"input_tokens":%s}}' % (b"9" * 22), JSON_TYPE),
    "deep JSON": whole(b"200 OK", b"[" * 100_000, JSON_TYPE),
    "noise as a stream": STREAM + b"".join(chunked(NOISE)),
    "events of nonsense": STREAM + b"".join(chunked(b"event: \xff\ndata: {{{\n\ndata\n\n:\r\n")),
    "an event of a huge line": STREAM + b"".join(chunked(b"data: " + b"a" * 500_000 + b"\n\n")),
    "packed, but not": whole(b"200 OK", b"{}", JSON_TYPE, b"content-encoding: gzip"),
    "packed by nobody knows": whole(b"200 OK", b"{}", JSON_TYPE, b"content-encoding: zstd-9"),
    "no body at all": whole(b"200 OK", b""),
    "an interim answer first": b"HTTP/1.1 103 Early Hints\r\n\r\n" + whole(b"200 OK", b"{}", JSON_TYPE),
    "a redirect": whole(b"307 T", b"", b"location: http://127.0.0.1:1/"),
    "a status of its own": whole(b"530 Own", b"{}"),
}
"""Whole answers, though strange ones: passed on as they are."""


def through(parts: bytes, *, closes: bool) -> Answered:
    """The answer through a gateway to nonsense, after which the gateway is as well as before."""
    with fixed_answer(parts, closes=closes) as upstream:
        settings = Settings(
            serve=Serve(port=0, upstream="odd"),
            upstreams={"odd": Upstream(base_url=upstream.url)},
            limits=Limits(retries=0),
            timeouts=Timeouts(answer=3.0, silence=3.0),
        )
        ledger = MemoryLedger()
        with Gateway(settings, stores=Stores(ledger=ledger, learned=False)) as gateway:
            try:
                found = ask(gateway.url, BODY, "x-api-key: a")
            finally:
                assert ask(gateway.url, b"", method="GET", path="/healthz").status.endswith(b"200 OK")
        assert [record.cost for record in ledger.records() if record.cost < 0] == []
        return found


def assert_refused(found: Answered) -> None:
    """An error of the gateway's own, without a word of the request."""
    status = int(found.status.split()[1])
    assert status in (502, 504)
    error = json.loads(found.body)
    assert error["type"] == "error"
    assert error["error"]["type"] in ("api_error", "timeout_error")
    assert error["request_id"]
    assert "CANARY" not in found.body.decode()


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_no_answer_becomes_an_error_of_the_gateway(name: str) -> None:
    found = through(NOT_HTTP[name], closes=True)
    assert_refused(found)


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_what_breaks_off_is_seen_to_break_off(name: str) -> None:
    try:
        found = through(BROKEN_OFF[name], closes=True)
    except (OSError, ValueError):
        return
    assert_refused(found)  # broken before any of it could be passed on


@pytest.mark.parametrize("name", ODD)
def test_what_is_only_odd_comes_through_as_it_is(name: str) -> None:
    answer = ODD[name]
    found = through(answer, closes=False)
    with fixed_answer(answer) as upstream:
        direct = ask(upstream.url, BODY)
    assert found.status.split()[1] == direct.status.split()[1]
    assert found.body == direct.body
