"""Streams that are closed once enough was said, through the real SDK: what is returned and what is billed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.asgi.shapes import Message, Receive, Scope, Send
from scrimp.emulator import Answer, Emulator, Fault, text, thinking, tool_use
from scrimp.errors import ResponseError
from scrimp.stores.memory import MemoryLedger
from scrimp.wire.events import SSEParser
from tests.patience import HeldBack, eventually, until

WANTED = {"name": "llama", "legs": 4, "says": 'he said "}"', "list": [1, [2, 3]]}
PROSE = "Here it is:\n```json\n"
REST = "\n```\nAnd here is a long explanation. " + "More words. " * 400
FIELDS: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 4_000,
    "messages": [{"role": "user", "content": "An object, please."}],
}
SLOW = Fault("slow_events", times=None, seconds=0.001)
"""One event at a time, and whoever leaves is noticed between them."""

SAID = json.dumps(WANTED)
ANSWERS = {
    "text": [text(PROSE + SAID + REST)],
    "a tool's input": [text("I will {call} it:"), tool_use("save", WANTED), text(REST)],
    "thinking first": [thinking("An object {of which kind} would do?"), text(PROSE + SAID + REST)],
}
Stop = Callable[[Any], Any]


def has_object(said: str) -> bool:
    """Whether the whole object was said."""
    with suppress(ValueError):
        return bool(json.JSONDecoder().raw_decode(said[max(said.find('{"name"'), 0) :]))
    return False


class Until(HeldBack):
    """Says no more once that is enough, until the client has left."""

    def __init__(self, replies: list[Any], enough: Callable[[str], bool] = has_object) -> None:
        super().__init__(replies, times=0, faults=[SLOW])
        self.enough = enough
        self.waits = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        said, parser, gone = [""], SSEParser(), list[bool]()

        async def heard() -> Message:
            message = await receive()
            gone.extend([True] * (message["type"] == "http.disconnect"))
            return message

        async def sent(message: Message) -> None:
            await send(message)
            for event in parser.feed(message.get("body", b"")):
                delta = event.json().get("delta", {})
                said.append(delta.get("text", "") + delta.get("partial_json", ""))
            if self.enough("".join(said)):
                self.waits = True
                await until(lambda: gone)

        await super().__call__(scope, heard, sent)


def clients(emulator: Emulator, ledger: MemoryLedger) -> dict[str, Any]:
    """What a client of the emulator is made with."""
    return {
        "base_url": emulator.url,
        "api_key": "any",
        "middleware": [scrimp.Middleware(ledger=ledger)],
    }


def stream_sync(options: dict[str, Any], stop: Stop, **fields: Any) -> Any:
    with (
        anthropic.Anthropic(**options) as client,
        client.messages.stream(**{**FIELDS, **fields}) as stream,
    ):
        return stop(stream)


def create_sync(options: dict[str, Any], stop: Stop, **fields: Any) -> Any:
    with anthropic.Anthropic(**options) as client:
        return stop(client.messages.create(**{**FIELDS, **fields}, stream=True))


def stream_async(options: dict[str, Any], stop: Stop, **fields: Any) -> Any:
    async def read() -> Any:
        async with (
            anthropic.AsyncAnthropic(**options) as client,
            client.messages.stream(**{**FIELDS, **fields}) as stream,
        ):
            return await stop(stream)

    return asyncio.run(read())


def create_async(options: dict[str, Any], stop: Stop, **fields: Any) -> Any:
    async def read() -> Any:
        async with anthropic.AsyncAnthropic(**options) as client:
            return await stop(await client.messages.create(**{**FIELDS, **fields}, stream=True))

    return asyncio.run(read())


WAYS = {
    "stream": stream_sync,
    "create": create_sync,
    "async stream": stream_async,
    "async create": create_async,
}
PAIRS = [("text", way) for way in WAYS] + [
    (answer, way) for answer in ("a tool's input", "thinking first") for way in ("create", "async stream")
]


@pytest.mark.parametrize(("answer", "way"), PAIRS)
def test_the_object_comes_back_and_what_was_generated_is_billed(answer: str, way: str) -> None:
    fields = {"thinking": {"type": "adaptive"}} if answer == "thinking first" else {}
    with Until([Answer(ANSWERS[answer])]) as emulator:
        ledger = MemoryLedger()
        assert WAYS[way](clients(emulator, ledger), scrimp.until_json, **fields) == WANTED
        is_billed_as_generated(emulator, ledger)


@pytest.mark.parametrize(
    ("way", "model"), [("create", "claude-haiku-4-5"), ("async create", "claude-opus-5")]
)
def test_text_that_is_enough_is_billed_as_generated(way: str, model: str) -> None:
    with Until([PROSE + REST], lambda said: "```json" in said) as emulator:
        ledger = MemoryLedger()
        stop = partial(scrimp.until, stop_when=lambda text: "```json" in text)
        found = WAYS[way](clients(emulator, ledger), stop, model=model)
        assert PROSE in found
        assert len(found) < 0.1 * len(REST)
        is_billed_as_generated(emulator, ledger)


@pytest.mark.parametrize("way", ["stream", "async create"])
def test_a_condition_that_fails_closes_the_stream_and_is_raised(way: str) -> None:
    def broken(text: str) -> bool:
        raise LookupError("no such word")

    with Until([PROSE + REST], bool) as emulator:
        ledger = MemoryLedger()
        with pytest.raises(LookupError):
            WAYS[way](clients(emulator, ledger), partial(scrimp.until, stop_when=broken))
        is_billed_as_generated(emulator, ledger)


def test_a_cancelled_reader_closes_the_stream() -> None:
    read: list[str] = []

    def never(text: str) -> bool:
        read.append(text)
        return False

    async def given_up(options: dict[str, Any]) -> None:
        async with anthropic.AsyncAnthropic(**options) as client:
            stream = await client.messages.create(**FIELDS, stream=True)
            reading = asyncio.create_task(scrimp.until(stream, stop_when=never))
            await until(lambda: read and emulator.waits)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    with Until([PROSE + REST], lambda said: "And here" in said) as emulator:
        ledger = MemoryLedger()
        asyncio.run(given_up(clients(emulator, ledger)))
        is_billed_as_generated(emulator, ledger, within=40)


def is_billed_as_generated(emulator: Emulator, ledger: MemoryLedger, *, within: int = 0) -> None:
    """The ledger has what the emulator billed, which is a small part of the whole answer."""
    ledger.flush()
    [record] = ledger.records()
    eventually(lambda: emulator.bill)
    [billed] = emulator.bill
    assert (billed.outcome, record.outcome) == ("cut off", "cut off")
    assert record.usage.input_tokens == billed.usage.input_tokens
    assert 0 <= billed.usage.output_tokens - record.usage.output_tokens <= within
    assert within or record.cost == billed.cost == emulator.total
    assert 0 < billed.usage.output_tokens < 0.2 * 0.335 * len(REST)
    assert not record.measured


def test_the_input_of_a_tool_call_is_an_object_too() -> None:
    said = Answer([text("I will {call} it:"), tool_use("save", WANTED), text("never read " * 50)])
    with Emulator([said]) as emulator:
        assert create_sync(clients(emulator, MemoryLedger()), scrimp.until_json) == WANTED


@pytest.mark.parametrize("said", ["no object here", '{"cut": "off', "{not json}"])
def test_an_answer_without_a_whole_object_is_an_error(said: str) -> None:
    with Emulator([said]) as emulator, pytest.raises(ResponseError, match="before its JSON was complete"):
        create_sync(clients(emulator, MemoryLedger()), scrimp.until_json)


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
