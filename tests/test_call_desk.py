"""The desk of a call whose answer somebody else reads: what is done at its end, and what is left of it."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scrimp.core.budget import Limit, Scope
from scrimp.core.commands import Answer, Attempt, Plan, Send
from scrimp.core.flow import flow
from scrimp.core.record import Tags
from scrimp.drive import adrive, drive
from scrimp.errors import BudgetExceeded
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


def test_what_follows_the_end_of_a_stream_takes_its_turns() -> None:
    ledger, facts = MemoryLedger(), default()
    office = Office(Remembering(facts, clock, place=False), ledger, clock=clock, facts=facts)
    line: list[Callable[[], None]] = []
    with collecting_nothing():
        desk = under_way(office, stream=True)
        desk.turn = line.append
        reading = desk.reading
        assert reading is not None
        for part in events():
            reading.saw(part)
        reading.end()
        turns = 0
        while line:
            assert not list(ledger.records())  # to keep the record is what comes last
            line.pop()()
            turns += 1
        assert turns > 1
        (record,) = ledger.records()
        assert (record.outcome, record.usage.output_tokens) == ("complete", 5)
        left = [weakref.ref(desk), weakref.ref(reading)]
        del desk, reading
        assert [one() for one in left] == [None, None]


@pytest.mark.parametrize("turn", [1, 2])
def test_a_call_that_ends_while_it_waits_for_its_turn_holds_nothing(turn: int) -> None:
    ledger, facts = MemoryLedger(), default()
    ledger.budgets.put(Limit(scope=Scope("organisation"), amount=10**12))
    office = Office(Remembering(facts, clock, place=False), ledger, clock=clock, facts=facts)
    text = {"type": "text", "text": "Worth caching. " * 1800, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "user", "content": "Hi"}]
    body: dict[str, Any] = {"model": MODEL, "max_tokens": 9, "system": [text], "messages": messages}
    waited = 0

    async def mine() -> None:
        nonlocal waited
        waited += 1
        if waited == turn:
            raise asyncio.CancelledError

    async def call(turn: Callable[[], Awaitable[None]] | None) -> None:
        steps = flow(Attempt("a1", "c1", 0, body, "safe", Tags(), stream=True), facts, clock)
        await adrive(steps, CallDesk(office, None), never, turn=turn)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(call(mine))
    (standing,) = ledger.budgets.standings(NOW)
    assert (standing.held, standing.spent) == (0, 0)
    assert not list(ledger.records())
    again = office.plan(Plan(body, again=False, label=None))
    assert again is not None
    assert again.writing  # nobody is thought to be writing it


@pytest.mark.parametrize("driven", ["drive", "adrive"])
def test_a_refusal_does_not_stay_when_it_was_told(driven: str) -> None:
    ledger, facts, left = MemoryLedger(), default(), []
    ledger.budgets.put(Limit(scope=Scope("organisation"), amount=1))
    office = Office(Remembering(facts, clock, place=False), ledger, clock=clock, facts=facts)

    async def refused() -> None:
        """A call that a limit does not let out, from where it is sent."""
        body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        steps = flow(Attempt("a1", "c1", 0, body, "safe", Tags(), stream=False), facts, clock)
        try:
            if driven == "drive":
                drive(steps, CallDesk(office, None), never)
            else:
                await adrive(steps, CallDesk(office, None), never)
        except BudgetExceeded as error:
            left.append(weakref.ref(error))

    with collecting_nothing():
        asyncio.run(refused())
        assert [one() for one in left] == [None]
    assert not list(ledger.records())


def never(command: Send) -> Any:
    raise AssertionError(command)
