"""`scrimp.Output` through the real SDK: what goes out, what is held and billed, what is asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.money import dollars
from scrimp.core.output import Output
from scrimp.emulator import Clock, Emulator, Fault, Scripted
from scrimp.errors import BudgetExceeded
from scrimp.stores.memory import MemoryLedger

MODEL = "claude-opus-4-5"
NOON = 1_795_000_000.0
LONG = "word " * 2_400
ASKED: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 8_000,
    "messages": [{"role": "user", "content": "Say it all."}],
}
Client = Callable[..., Any]


def sync(emulator: Emulator, middleware: scrimp.Middleware, **fields: Any) -> Any:
    with anthropic.Anthropic(
        base_url=emulator.url, api_key="k", max_retries=0, middleware=[middleware]
    ) as client:
        return client.messages.create(**{**ASKED, **fields})


def in_loop(emulator: Emulator, middleware: scrimp.Middleware, **fields: Any) -> Any:
    async def call() -> Any:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url, api_key="k", max_retries=0, middleware=[middleware]
        ) as client:
            return await client.messages.create(**{**ASKED, **fields})

    return asyncio.run(call())


BOTH = pytest.mark.parametrize("call", [sync, in_loop])


@pytest.fixture
def emulator() -> Any:
    with Emulator(Scripted([LONG]), clock=Clock(NOON)) as running:
        yield running


def middleware_of(
    emulator: Emulator, lever: Output, **options: Any
) -> tuple[scrimp.Middleware, MemoryLedger]:
    ledger = MemoryLedger()
    return scrimp.Middleware(ledger=ledger, clock=emulator.clock.now, levers=[lever], **options), ledger


@BOTH
def test_the_limit_is_lowered_and_less_is_held_for_the_call(call: Client, emulator: Emulator) -> None:
    """A run that could not pay for what its caller asks for can for what such replies need."""
    middleware, ledger = middleware_of(emulator, Output())
    bare = scrimp.Middleware(ledger=MemoryLedger(), clock=emulator.clock.now)
    with scrimp.run("small", budget="0.10"), pytest.raises(BudgetExceeded):
        call(emulator, bare)  # 8,000 tokens at $25 a million
    with scrimp.run("small", budget="0.10"):
        call(emulator, middleware)
    [request] = emulator.requests
    assert request.body["max_tokens"] == 1_536
    [record] = ledger.records()
    assert "output: max_tokens 8,000 → 1,536" in record.notes


@BOTH
def test_a_cut_reply_is_asked_for_once_more_and_both_are_billed(call: Client, emulator: Emulator) -> None:
    middleware, ledger = middleware_of(emulator, Output(retry_cut=True))
    with scrimp.run("report", budget="2.00") as run:
        message = call(emulator, middleware)
    assert message.stop_reason == "end_turn"
    assert message.content[0].text == LONG
    assert [one.body["max_tokens"] for one in emulator.requests] == [1_536, 8_000]
    first, second = sorted(ledger.records(), key=lambda record: record.attempt)
    assert (first.call_id, first.attempt, second.attempt) == (second.call_id, 0, 1)
    assert first.id != second.id
    assert [one.usage.output_tokens for one in (first, second)] == [1_536, message.usage.output_tokens]
    assert first.cost + second.cost == emulator.total
    assert run.cost == dollars(emulator.total)
    assert "output: once more with max_tokens 8,000" in second.notes
    assert first.own_cost is not None
    assert second.own_cost is not None
    # The caller's own request would have read its prompt once and written the whole reply.
    own = (first.cost - 1_536 * 25_000_000) + message.usage.output_tokens * 25_000_000
    assert first.own_cost + second.own_cost == pytest.approx(own, rel=0.01)


@BOTH
def test_without_being_asked_for_a_cut_reply_stays_and_the_next_gets_more(
    call: Client, emulator: Emulator
) -> None:
    middleware, _ = middleware_of(emulator, Output())
    reasons = [call(emulator, middleware).stop_reason for _ in range(3)]
    limits = [one.body["max_tokens"] for one in emulator.requests]
    assert limits[0] == 1_536
    assert limits[1] >= 1.5 * 1_536
    assert reasons == ["max_tokens", "end_turn", "end_turn"]


@BOTH
@pytest.mark.parametrize("kind", ["overloaded", "server_error", "disconnect", "rate_limit"])
def test_where_the_second_fails_the_first_is_returned(call: Client, emulator: Emulator, kind: Any) -> None:
    emulator.inject(Fault(kind, after=1))
    middleware, ledger = middleware_of(emulator, Output(retry_cut=True))
    with scrimp.run("report", budget="2.00") as run:
        message = call(emulator, middleware)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 1_536
    billed = [record for record in ledger.records() if record.outcome == "complete"]
    assert [record.usage.output_tokens for record in billed] == [1_536]
    assert run.cost >= dollars(billed[0].cost)


@BOTH
def test_where_the_budget_has_no_room_for_a_second_the_first_is_returned(
    call: Client, emulator: Emulator
) -> None:
    middleware, ledger = middleware_of(emulator, Output(retry_cut=True))
    with scrimp.run("small", budget="0.10") as run:
        message = call(emulator, middleware)
    assert message.stop_reason == "max_tokens"
    [record] = ledger.records()
    assert record.cost == emulator.total
    assert run.cost == dollars(emulator.total)


@pytest.mark.parametrize("raw", [False, True])
def test_a_stream_is_passed_on_as_it_comes_and_not_asked_for_again(emulator: Emulator, raw: bool) -> None:
    middleware, ledger = middleware_of(emulator, Output(retry_cut=True))
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as client:
        if raw:
            with client.messages.with_streaming_response.create(**ASKED) as response:
                message = response.parse()
        else:
            with client.messages.stream(**ASKED) as stream:
                message = stream.get_final_message()
    assert message.stop_reason == "max_tokens"
    [record] = ledger.records()
    [request] = emulator.requests
    assert record.usage.output_tokens == request.body["max_tokens"] == 1_536


def test_what_was_learned_is_there_in_the_next_process(tmp_path: Path) -> None:
    with Emulator(Scripted(["yes"]), clock=Clock(NOON)) as emulator:
        for _ in range(2):
            middleware, _ = middleware_of(emulator, Output(), learned=tmp_path / "learned.sqlite")
            options: dict[str, Any] = {"base_url": emulator.url, "api_key": "k", "middleware": [middleware]}
            with anthropic.Anthropic(**options) as client, scrimp.run("mail", agent="triage"):
                for _ in range(25):
                    client.messages.create(**ASKED)
            remembering = middleware._office._remembering
            remembering.ended()
            assert remembering._store is not None
            remembering._store.flush()
        limits = [one.body["max_tokens"] for one in emulator.requests]
    assert limits[0] == 1_536
    assert limits[24] == limits[25] == limits[-1] == 64
