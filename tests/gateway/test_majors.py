"""Three majors of the official SDK through the gateway with only a base URL; bytes stay as they are."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.gateway.sdks import FAULTS, VERSIONS, Through, mismatches, python_of, session, through

from scrimp.emulator import Agent, Emulator
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Serve, Settings, Upstream
from scrimp.stores.memory import MemoryLedger
from tests.conftest import PATH, READY
from tests.forks import Forks
from tests.gateway.fixed_answer import Answered, ask, chunked, fixed_answer, whole
from tests.patience import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore::scrimp.errors.ScrimpWarning")

EVENTS = b"""event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",\
"model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,\
"usage":{"input_tokens":25,"output_tokens":1}}}

event: ping
data: {}

: a comment

event: content_block_start\r
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\r
\r
event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xc3\xa4\xf0\x9f\xa6\x99"}}

event: never_heard_of
data:{"type":"never_heard_of",  "spaces" : [1,2 ]}
id: 7
retry: 10

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},\
"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

"""
MESSAGE = (
    b'{ "id":"msg_2",\n "type":"message", "role":"assistant","model":"claude-haiku-4-5","content":[],\n'
    b' "stop_reason":"end_turn","stop_sequence":null,"unknown":{"a":[1e3, 0.10]},'
    b'"usage":{"output_tokens":15, "input_tokens":25} }\n'
)
STREAM_COST = MESSAGE_COST = 25 * 1_000_000 + 15 * 5_000_000
"""Picodollars: Claude Haiku 4.5 is a dollar a million tokens in, five out."""


@pytest.fixture(params=VERSIONS)
def at(
    request: pytest.FixtureRequest, tmp_path: Path, forks_of: Callable[..., Forks]
) -> Iterator[tuple[Through, Forks]]:
    """A gateway in front of an emulator, and processes of an interpreter that has one version of the SDK."""
    python = python_of(request.param)
    if python is None:
        pytest.skip(f"SDK {request.param} is not installed beside the tests: run `make sdks`")
    with Emulator(Agent()) as emulator, through(tmp_path, emulator) as found:
        yield found, forks_of(str(python), *READY, path=PATH)


def test_every_way_to_call_works_with_a_base_url_and_is_recorded(at: tuple[Through, Forks]) -> None:
    gateway, forks = at
    found = session(forks.run, gateway, "every")
    assert found["called"] >= 1
    assert sorted(found["ids"]) == sorted(one.message_id for one in gateway.emulator.bill)
    assert mismatches(gateway, found["ids"]) == []
    assert all(one.outcome == "complete" for one in gateway.emulator.bill)
    assert sum(one.usage.cache_read_input_tokens for one in gateway.emulator.bill) > 0  # it was planned


def test_calls_with_faults_add_up_to_the_picodollar(tmp_path: Path, forks_of: Callable[..., Forks]) -> None:
    python = python_of(VERSIONS[-1])
    if python is None:
        pytest.skip(f"SDK {VERSIONS[-1]} is not installed beside the tests: run `make sdks`")
    forks = forks_of(str(python), *READY, path=PATH)
    with Emulator(Agent(), faults=FAULTS) as emulator, through(tmp_path, emulator) as gateway:
        found = session(forks.run, gateway, "many", "80")
        gateway.gateway.stop()
        assert mismatches(gateway, found["ids"]) == []
        assert len(found["ids"]) + sum(found["broken"].values()) == 80
        assert len(emulator.requests) > 80  # faults there were
        assert found["slowest"] < PATIENCE


def answers(*parts: bytes, closes: bool = False) -> tuple[Answered, Answered, int]:
    """The answer to one request straight from the upstream, through a gateway, and what was recorded (p$)."""
    body = json.dumps(
        {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
    )
    with fixed_answer(*parts, closes=closes) as upstream:
        settings = Settings(
            serve=Serve(port=0, upstream="fixed"), upstreams={"fixed": Upstream(base_url=upstream.url)}
        )
        ledger = MemoryLedger()
        direct = ask(upstream.url, body.encode(), "x-api-key: a")
        with Gateway(settings, stores=Stores(ledger=ledger, learned=False)) as gateway:
            through = ask(gateway.url, body.encode(), "x-api-key: a")
        sent, passed_on = (one.split(b"\r\n\r\n")[1] for one in upstream.requests)  # each once
        assert sent == passed_on
        return direct, through, sum(record.cost for record in ledger.records() if record.measured)


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nrequest-id: req_1\r\n"
    b"anthropic-ratelimit-requests-remaining: 7\r\ntransfer-encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_comes_through_byte_for_byte_however_it_is_cut(size: int) -> None:
    text = EVENTS
    cut = [text[at : at + size] for at in range(0, len(text), size)]
    # Very small parts are sent many at once: what matters is that they are chunks of their own.
    parts = [b"".join(chunked(*cut))] if size < 7 else chunked(*cut)
    direct, through, recorded = answers(STREAM_HEAD, *parts)
    assert through.body == direct.body == text
    assert through.status == direct.status
    for name in (b"content-type", b"request-id", b"anthropic-ratelimit-requests-remaining"):
        assert through.header(name) == direct.header(name)
    assert recorded == STREAM_COST


def test_a_message_comes_through_byte_for_byte() -> None:
    answer = whole(b"200 OK", MESSAGE, b"content-type: application/json", b"request-id: req_2")
    direct, through, recorded = answers(answer)
    assert through.body == direct.body == MESSAGE
    assert through.header(b"request-id") == b"req_2"
    assert recorded == MESSAGE_COST


def test_a_good_answer_is_never_asked_for_again() -> None:
    answer = whole(b"200 OK", MESSAGE, b"content-type: application/json", b"x-should-retry: true")
    _, through, recorded = answers(answer)
    assert through.body == MESSAGE
    assert recorded == MESSAGE_COST


def test_a_packed_message_comes_through_as_it_is_and_is_metered() -> None:
    packed = gzip.compress(MESSAGE)
    answer = whole(b"200 OK", packed, b"content-type: application/json", b"content-encoding: gzip")
    direct, through, recorded = answers(answer)
    assert through.body == direct.body == packed
    assert through.header(b"content-encoding") == b"gzip"
    assert recorded == MESSAGE_COST


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            b"400 Bad Request",
            b'{"type":"error", "error":{"type":"invalid_request_error"}}',
            b"application/json",
        ),
        (b"413 Payload Too Large", b"<html>too large</html>\r\n", b"text/html"),
        (b"418 I'm a teapot", b"", b"text/plain"),
        (b"200 OK", b"not JSON at all", b"application/json"),
        (b"201 Created", b"", b"application/json"),
    ],
)
def test_what_the_upstream_says_otherwise_comes_through_verbatim(
    status: bytes, body: bytes, kind: bytes
) -> None:
    answer = whole(status, body, b"content-type: " + kind, b"request-id: req_3", b"x-should-retry: false")
    direct, through, recorded = answers(answer)
    assert through.body == direct.body == body
    assert through.status.split()[1] == direct.status.split()[1]
    for name in (b"content-type", b"request-id", b"x-should-retry"):
        assert through.header(name) == direct.header(name)
    assert recorded == 0


def test_a_stream_that_breaks_off_is_seen_to_break_off() -> None:
    with pytest.raises((OSError, ValueError)):
        answers(STREAM_HEAD, *chunked(EVENTS[:400])[:-1], closes=True)
