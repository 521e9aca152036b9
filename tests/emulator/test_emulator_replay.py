"""Recorded runs sent over HTTP bill exactly what the pure replay says."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import anthropic
import msgspec
import pytest

from scrimp.core.summary import add_up, replay_source
from scrimp.emulator import Emulator, Replayed, Scripted
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus, recorded_sources
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.sizes import Sizes
from tests.emulator.asgi import call

RECORDINGS = Path(__file__).parents[2] / "src" / "scrimp" / "cli" / "recordings"
RUNS = ("django__django-10973", "astropy__astropy-14995", "django__django-11292")
KNOWN = {"model", "max_tokens", "messages", "system", "tools"}
OLDER = {"anthropic-version": "2023-06-01"}
"""The runs set a temperature, which the newer version refuses."""


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    paths = [RECORDINGS / "openhands" / f"{run}.jsonl.xz" for run in RUNS]
    (source,) = read_corpus(paths).sources.values()
    return list(in_time_order(source))


@pytest.fixture(scope="module")
def replayed(exchanges: list[Exchange]) -> tuple[Counter[str], int]:
    """Tokens and picodollars of the `recorded` policy, every call on the route that caches."""
    corpus = read_corpus([RECORDINGS / "openhands" / f"{run}.jsonl.xz" for run in RUNS])
    ((_, calls),) = recorded_sources(corpus, default(), sizer=Sizes(), route="anthropic")
    whole = add_up(replay_source(calls, ("recorded",)).runs()).policies["recorded"]
    assert len(calls) == len(exchanges) > 40
    return whole.tokens, whole.total


def tokens_of(emulator: Emulator) -> Counter[str]:
    tokens: Counter[str] = Counter()
    for entry in emulator.bill:
        usage = entry.usage
        tokens.update(plain=usage.input_tokens, write_5m=usage.write_5m, write_1h=usage.write_1h)
        tokens.update(read=usage.cache_read_input_tokens, output=usage.output_tokens)
    return tokens


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
def test_plain_and_streamed_calls_of_the_sdk(
    exchanges: list[Exchange], replayed: tuple[Counter[str], int]
) -> None:
    with (
        Emulator(Replayed(exchanges)) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="sk-test", default_headers=OLDER) as sdk,
    ):
        for number, exchange in enumerate(exchanges):
            emulator.clock.set(exchange.at)
            fields: Any = {name: value for name, value in exchange.body.items() if name in KNOWN}
            rest = {name: value for name, value in exchange.body.items() if name not in KNOWN}
            if number % 2:
                answer = sdk.messages.create(**fields, extra_body=rest)
            else:
                with sdk.messages.stream(**fields, extra_body=rest) as stream:
                    answer = stream.get_final_message()
            assert answer.content[0].to_dict() == exchange.response["content"][0]
    assert tokens_of(emulator) == replayed[0]
    assert emulator.total == replayed[1]


def test_the_async_sdk(exchanges: list[Exchange], replayed: tuple[Counter[str], int]) -> None:
    async def send_all(emulator: Emulator) -> None:
        async with anthropic.AsyncAnthropic(
            base_url=emulator.url, api_key="sk-test", default_headers=OLDER
        ) as sdk:
            for exchange in exchanges:
                emulator.clock.set(exchange.at)
                await sdk.post("/v1/messages", cast_to=anthropic.types.Message, body=dict(exchange.body))

    with Emulator(Replayed(exchanges)) as emulator:
        asyncio.run(send_all(emulator))
    assert (tokens_of(emulator), emulator.total) == replayed


def test_a_prompt_that_was_not_recorded_is_refused_or_passed_on(exchanges: list[Exchange]) -> None:
    body = {**exchanges[0].body, "system": "another"}
    with Emulator(Replayed(exchanges)) as emulator:
        sdk = anthropic.Anthropic(base_url=emulator.url, api_key="sk-test", default_headers=OLDER)
        with pytest.raises(anthropic.BadRequestError, match="no recorded call"):
            sdk.post("/v1/messages", cast_to=anthropic.types.Message, body=body)
        emulator.reply(Replayed(exchanges, otherwise=Scripted(["passed on"])))
        answer = sdk.post("/v1/messages", cast_to=anthropic.types.Message, body=body)
        assert answer.content[0].text == "passed on"  # type: ignore[union-attr]  # it is a text
        sdk.close()


def test_a_recording_can_be_told_once_more_from_its_start(exchanges: list[Exchange]) -> None:
    first = exchanges[0]
    twice = [
        msgspec.structs.replace(
            first,
            seq=at,
            at=first.at + at,
            response={**first.response, "content": [{"type": "text", "text": said}]},
        )
        for at, said in enumerate(("said first", "said then"))
    ]
    recorded = Replayed(twice)
    told = []
    for replies in (recorded, recorded.from_the_start(), recorded):
        emulator = Emulator(replies)
        told.append(call(emulator, first.body).body["content"][0]["text"])
        told.append(call(emulator, first.body).body["content"][0]["text"])
    assert told == ["said first", "said then"] * 2 + ["said then"] * 2


def test_reads_and_writes_are_those_that_were_billed() -> None:
    """Of the runs' calls to the provider that caches, alone in a cache of their own."""
    (source,) = read_corpus([RECORDINGS / "openhands"]).sources.values()
    emulator = Emulator(Replayed(source))
    agreed = []
    for exchange in in_time_order(source):
        usage = exchange.usage
        if exchange.provider != "anthropic" or usage is None:
            continue
        emulator.clock.set(exchange.at)
        call(emulator, exchange.body)
        billed = emulator.bill[-1].usage
        near = usage.total_input / 100 + 16
        agreed.append(
            abs(billed.cache_read_input_tokens - usage.cache_read_input_tokens) <= near
            and abs(billed.cache_creation_input_tokens - usage.cache_creation_input_tokens) <= near
        )
    assert len(agreed) == 316
    assert sum(agreed) / len(agreed) > 0.95
