"""Streams that are closed once enough was said, through the real SDK: what is returned and what is billed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.emulator import Answer, Emulator, Fault, text, tool_use
from scrimp.errors import ResponseError
from scrimp.stores.memory import MemoryLedger

WANTED = {"name": "llama", "legs": 4, "says": 'he said "}"', "list": [1, [2, 3]]}
PROSE = "Here is the object you asked for:\n```json\n"
REST = "\n```\nAnd here is a long explanation. " + "More words. " * 400
FIELDS: dict[str, Any] = {
    "model": "claude-opus-4-5",
    "max_tokens": 4_000,
    "messages": [{"role": "user", "content": "An object, please."}],
}
Read = Callable[[Emulator, MemoryLedger], Any]


def stream_sync(emulator: Emulator, ledger: MemoryLedger) -> Any:
    with (
        anthropic.Anthropic(
            base_url=emulator.url, api_key="any", middleware=[scrimp.Middleware(ledger=ledger)]
        ) as client,
        client.messages.stream(**FIELDS) as stream,
    ):
        return scrimp.until_json(stream)


def create_sync(emulator: Emulator, ledger: MemoryLedger) -> Any:
    with anthropic.Anthropic(
        base_url=emulator.url, api_key="any", middleware=[scrimp.Middleware(ledger=ledger)]
    ) as client:
        return scrimp.until_json(client.messages.create(**FIELDS, stream=True))


def stream_async(emulator: Emulator, ledger: MemoryLedger) -> Any:
    async def read() -> Any:
        async with (
            anthropic.AsyncAnthropic(
                base_url=emulator.url, api_key="any", middleware=[scrimp.Middleware(ledger=ledger)]
            ) as client,
            client.messages.stream(**FIELDS) as stream,
        ):
            return await scrimp.until_json(stream)

    return asyncio.run(read())


def create_async(emulator: Emulator, ledger: MemoryLedger) -> Any:
    async def read() -> Any:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url, api_key="any", middleware=[scrimp.Middleware(ledger=ledger)]
        ) as client:
            return await scrimp.until_json(await client.messages.create(**FIELDS, stream=True))

    return asyncio.run(read())


@pytest.fixture
def slow() -> Iterator[Emulator]:
    """One event at a time, so that a client that leaves is noticed at the next."""
    with Emulator([text(PROSE + json.dumps(WANTED) + REST)]) as emulator:
        emulator.inject(Fault("slow_events", times=None, seconds=0.1))
        yield emulator


@pytest.mark.parametrize("read", [stream_sync, create_sync, stream_async, create_async])
def test_the_object_comes_back_and_what_was_generated_is_billed(read: Read, slow: Emulator) -> None:
    ledger = MemoryLedger()
    assert read(slow, ledger) == WANTED
    ledger.flush()
    [record] = ledger.records()
    whole = len(PROSE + json.dumps(WANTED) + REST) / 4
    for _ in range(200):
        if slow.bill:
            break
        asyncio.run(asyncio.sleep(0.01))
    [billed] = slow.bill
    assert billed.outcome == "cut off"
    assert billed.usage.output_tokens < 0.2 * whole
    assert record.usage is not None
    assert record.usage.input_tokens == billed.usage.input_tokens
    # The provider may generate an event or two more before it sees that nobody listens.
    assert 0 <= billed.usage.output_tokens - record.usage.output_tokens <= 40


def test_the_input_of_a_tool_call_is_an_object_too() -> None:
    said = Answer([text("I will {call} it:"), tool_use("save", WANTED), text("never read " * 50)])
    with Emulator([said]) as emulator:
        assert create_sync(emulator, MemoryLedger()) == WANTED


@pytest.mark.parametrize("said", ["no object here", '{"cut": "off', "{not json}"])
def test_an_answer_without_a_whole_object_is_an_error(said: str) -> None:
    with Emulator([said]) as emulator, pytest.raises(ResponseError, match="before its JSON was complete"):
        create_sync(emulator, MemoryLedger())


def test_text_is_read_until_it_is_enough() -> None:
    with (
        Emulator(["one two three four five six seven eight nine ten " * 9]) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="any") as client,
    ):
        with client.messages.stream(**FIELDS) as stream:
            found = scrimp.until(stream, stop_when=lambda text: "three" in text)
        assert "three" in found
        assert len(found) < 64
        with client.messages.stream(**FIELDS) as stream:
            assert len(scrimp.until(stream, stop_when=lambda _: False)) == 9 * len(
                "one two three four five six seven eight nine ten "
            )
