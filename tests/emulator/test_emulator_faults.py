"""What goes wrong, when it goes wrong, and what it costs."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from typing import Any
from urllib.request import urlopen

import anthropic
import pytest

from scrimp.asgi.shapes import HANG_UP, Receive, Scope, Send
from scrimp.core.meter import Meter
from scrimp.emulator import Emulator, Fault, thinking, tool_use
from scrimp.emulator.server import Server
from scrimp.errors import InputError
from scrimp.wire.events import SSEParser
from tests.emulator.asgi import MODEL, acall, body, call
from tests.patience import eventually

SCRIPT = [[thinking("Let me look. " * 9), tool_use("search", {"query": "llamas " * 20})]]
OPUS_5 = {"plain": 5_000_000, "output": 25_000_000}


def metered(raw: bytes) -> Any:
    """What a client's own meter makes of a stream, whole or not."""
    parser, meter = SSEParser(), Meter()
    for event in [*parser.feed(raw), *parser.finish()]:
        meter.feed(event)
    return meter.finish()


@pytest.mark.parametrize("events", [*range(1, 30, 2), 1000])
def test_a_stream_cut_anywhere_bills_its_input_and_what_was_generated(events: int) -> None:
    emulator = Emulator(SCRIPT, faults=[Fault("stream_error", events=events)])
    answer = call(emulator, body(stream=True, max_tokens=2000))
    assert answer.status == 200
    assert answer.events[-1].name == "error"
    assert answer.events[-1].json()["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    (entry,) = emulator.bill
    seen = metered(answer.raw)
    assert entry.outcome == "cut off"
    assert entry.usage.total_input == seen.usage.total_input
    assert entry.usage.output_tokens == seen.usage.output_tokens
    cost = entry.usage.input_tokens * OPUS_5["plain"] + entry.usage.output_tokens * OPUS_5["output"]
    assert entry.cost == emulator.total == cost


def test_a_cut_stream_bills_less_than_a_whole_one() -> None:
    costs = []
    for faults in ([Fault("stream_error", events=2)], [Fault("stream_error", events=8)], []):
        emulator = Emulator(SCRIPT, faults=faults)
        call(emulator, body(stream=True, max_tokens=2000))
        costs.append(emulator.total)
    assert costs == sorted(set(costs))


@pytest.mark.parametrize("stream", [True, False])
def test_the_connection_breaks_in_the_middle(stream: bool) -> None:
    asked: Any = {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]}
    with (
        Emulator(SCRIPT, faults=[Fault("cut")]) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="k", max_retries=0) as sdk,
    ):
        with pytest.raises(Exception, match=r"peer closed connection|Connection error"):
            _ = list(sdk.messages.create(**asked, stream=True)) if stream else sdk.messages.create(**asked)
        assert [entry.outcome for entry in emulator.bill] == ["cut off"]
        sdk.messages.create(**asked)
        assert [entry.outcome for entry in emulator.bill] == ["cut off", "complete"]


def test_rules_strike_when_and_as_often_as_they_say() -> None:
    faults = [
        Fault("overloaded", times=2, after=1, every=2),
        Fault("server_error", times=None, match=lambda asked: asked["max_tokens"] == 7),
    ]
    emulator = Emulator(faults=faults)
    statuses = [call(emulator, body(max_tokens=limit)).status for limit in (10, 10, 10, 10, 10, 10, 7, 7)]
    assert statuses == [200, 529, 200, 529, 200, 200, 500, 500]
    emulator.heal()
    assert call(emulator, body(max_tokens=7)).status == 200


def test_a_rule_does_not_count_attempts_that_an_earlier_one_ended() -> None:
    emulator = Emulator(faults=[Fault("overloaded"), Fault("server_error")])
    assert [call(emulator, body()).status for _ in range(3)] == [529, 500, 200]


def test_slow_answers_come_late_and_whole() -> None:
    emulator = Emulator(["Hello. " * 20], faults=[Fault("slow_start", seconds=0.05)])
    emulator.inject(Fault("slow_events", seconds=0.01))
    began = time.perf_counter()
    answer = call(emulator, body(stream=True))
    assert time.perf_counter() - began > 0.05 + 0.01 * (len(answer.events) - 2)
    assert [entry.outcome for entry in emulator.bill] == ["complete"]


def test_a_client_that_leaves_early_pays_for_what_it_was_sent() -> None:
    asked: Any = {"model": MODEL, "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}]}
    with (
        Emulator(["word " * 4_000], faults=[Fault("slow_events", seconds=0.05)]) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="k") as sdk,
    ):
        with sdk.messages.stream(**asked) as stream:
            for _, _ in zip(range(8), stream, strict=False):
                pass
        eventually(lambda: emulator.bill)
        (entry,) = emulator.bill
        assert entry.outcome == "cut off"
        assert 5 < entry.usage.output_tokens < 4_000


def test_the_bill_is_there_when_the_answer_is() -> None:
    asked: Any = {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]}
    with (
        Emulator(SCRIPT) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="k") as sdk,
    ):
        for number in range(50):
            with sdk.messages.stream(**asked) as stream:
                stream.until_done()
            assert len(emulator.bill) == number + 1


def test_no_answer_waits_for_an_acknowledgement() -> None:
    """Where Nagle's algorithm is on, a second small write does: for forty milliseconds."""
    off: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        connection = scope["extensions"][HANG_UP].__self__.transport.get_extra_info("socket")
        off.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    server = Server(app)
    server.start()
    try:
        with urlopen(f"http://127.0.0.1:{server.port}/") as answer:
            assert answer.read() == b"{}"
    finally:
        server.stop()
    assert off == [1]


def test_requests_answered_at_once_are_all_booked() -> None:
    emulator = Emulator(SCRIPT, faults=[Fault("slow_start", times=None, every=3, seconds=0.001)])

    async def send() -> None:
        await asyncio.gather(*(acall(emulator, body(max_tokens=500)) for _ in range(200)))

    asyncio.run(send())
    assert len({entry.message_id for entry in emulator.bill}) == 200
    assert sum(entry.cost for entry in emulator.bill) == emulator.total


def test_stopping_ends_the_thread_and_frees_the_port() -> None:
    with Emulator() as emulator:
        url = emulator.url
    assert not [thread for thread in threading.enumerate() if thread.name == "scrimp-emulator"]
    with Emulator(port=int(url.rsplit(":", 1)[1])) as again:
        assert again.url == url


def test_nothing_in_the_books_gives_a_key_away() -> None:
    emulator = Emulator()
    call(emulator, body(), x_api_key="sk-secret-1", authorization="Bearer sk-secret-2")
    assert "sk-secret" not in repr(emulator.requests) + repr(emulator.bill)
    assert json.loads(emulator.requests[0].raw) == emulator.requests[0].body


def test_a_fault_nobody_knows() -> None:
    with pytest.raises(InputError, match="expected one of rate_limit"):
        Fault("earthquake")  # type: ignore[arg-type]  # that is the point
