"""The desk of a call whose answer somebody else reads: what is done at its end, and what is left of it."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scrimp.core.commands import Answer, Attempt, Send
from scrimp.core.flow import flow
from scrimp.core.record import Tags
from scrimp.drive import drive
from scrimp.facts.models import default
from scrimp.office import CallDesk, Office, Reading, Remembering
from scrimp.stores.memory import MemoryLedger

NOW = 1_795_000_000.0
MODEL = "claude-haiku-4-5"
USAGE = {"input_tokens": 12, "output_tokens": 5}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "end_turn"}


def clock() -> float:
    return NOW


def events() -> Iterator[bytes]:
    """The answer as a stream."""
    begun = {**MESSAGE, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    done = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
    for kind, more in (("message_start", {"message": begun}), ("message_delta", done), ("message_stop", {})):
        yield f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


def whole() -> Iterator[bytes]:
    """The answer in one piece."""
    yield json.dumps({**MESSAGE, "content": [], "usage": USAGE}).encode()


@contextmanager
def collecting_nothing() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def under_way(office: Office, *, stream: bool) -> CallDesk:
    """A call whose answer has begun."""
    body: dict[str, Any] = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    attempt, desk = Attempt("a1", "c1", 0, body, "safe", Tags(), stream), CallDesk(office, None)

    def send(command: Send) -> Answer:
        assert not command.edits  # there is nothing to mark in so short a request
        desk.reading = Reading(clock, streams=stream)
        return Answer(200, NOW, NOW, "anthropic")

    drive(flow(attempt, office.facts, clock), desk, send)
    return desk


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_written_down_when_its_answer_ends_and_nothing_of_it_stays(*, stream: bool) -> None:
    ledger, facts = MemoryLedger(), default()
    office = Office(Remembering(facts, clock, place=False), ledger, clock=clock, facts=facts)
    with collecting_nothing():
        desk = under_way(office, stream=stream)
        reading = desk.reading
        assert reading is not None
        for part in events() if stream else whole():
            reading.saw(part)
        assert not list(ledger.records())
        reading.end()
        (record,) = ledger.records()
        assert (record.outcome, record.usage.input_tokens, record.usage.output_tokens) == ("complete", 12, 5)
        left = [weakref.ref(desk), weakref.ref(reading)]
        del desk, reading
        assert [one() for one in left] == [None, None]
