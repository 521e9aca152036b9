"""Recorded traffic as the judge: what the provider took is taken, what it refused is refused alike."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from scrimp.emulator import Emulator, Replayed
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.files import find_files, read_lines
from scrimp.traces.recorded_calls import unusable
from tests.emulator.asgi import HEADERS, request

NOT_TAKEN: dict[str, str] = {}
"""Recorded successes that the emulator refuses: its words, and why it stays that way."""

NOT_REPRODUCED: dict[str, str] = {}
"""Recorded refusals that the emulator answers differently: the recorded text, and why."""

AUGUST = 1_786_000_000.0


def time_of(exchange: Exchange) -> float:
    """When a call was made; where that was not recorded, a day on which its model was served."""
    if exchange.timed:
        return exchange.at
    retired = default().resolve(exchange.model).retired
    if retired is None:
        return AUGUST
    return min(AUGUST, datetime(retired.year, retired.month, retired.day, tzinfo=UTC).timestamp())


def recorded_lines(traces: Path) -> Iterator[dict[str, Any]]:
    """Every line of the cassettes."""
    for path in find_files([traces / "exchanges" / "cassettes"]):
        for _, line in read_lines(path, []):
            yield orjson.loads(line)


@pytest.fixture(scope="module")
def taken(traces: Path) -> list[Exchange]:
    """The recorded Messages calls to the provider's own API that succeeded."""
    corpus = read_corpus([traces / "exchanges" / "cassettes"])
    return [
        exchange
        for source in corpus.sources.values()
        for exchange in source
        if (exchange.kind, exchange.status, exchange.provider) == ("messages", 200, "anthropic")
    ]


BETAS = HEADERS | {"anthropic-beta": "context-management-2025-06-27,compact-2026-01-12"}
"""Recordings leave this header out; requests that edit their context were sent with it."""


def test_what_the_provider_took_is_taken(taken: list[Exchange]) -> None:
    emulator = Emulator(retires=True)
    refused: Counter[str] = Counter()

    async def send_all() -> None:
        for exchange in taken:
            emulator.clock.set(time_of(exchange))
            answer = await request(emulator, "POST", "/v1/messages", orjson.dumps(exchange.body), BETAS)
            if answer.status != 200:
                refused[answer.error["message"]] += 1

    asyncio.run(send_all())
    assert len(taken) > 2_000
    assert set(refused) == set(NOT_TAKEN)


def test_what_the_provider_counted_is_counted(traces: Path) -> None:
    counted = [
        exchange
        for source in read_corpus([traces / "exchanges" / "cassettes"]).sources.values()
        for exchange in source
        if (exchange.kind, exchange.provider) == ("count_tokens", "anthropic")
    ]
    emulator = Emulator()
    for exchange in counted:
        emulator.clock.set(AUGUST)
        path = "/v1/messages/count_tokens"
        answer = asyncio.run(request(emulator, "POST", path, orjson.dumps(exchange.body), HEADERS))
        assert answer.status == 200
        recorded = exchange.response["input_tokens"]
        assert answer.body["input_tokens"] == pytest.approx(recorded, rel=0.15, abs=16)
    assert len(counted) == 8


def test_what_the_provider_refused_is_refused_alike(traces: Path) -> None:
    refused = [line for line in recorded_lines(traces) if (line["response"].get("status") or 200) >= 400]
    emulator = Emulator(keys={"the key of somebody else"}, retires=True)
    for line in refused:
        recorded = line["response"]["body"]["error"]
        if recorded["message"] in NOT_REPRODUCED:
            continue
        path = re.sub(r"^https?://[^/]+", "", line["request"]["url"])
        raw = orjson.dumps(line["request"]["body"])
        answer = asyncio.run(request(emulator, line["request"]["method"], path, raw, HEADERS))
        assert answer.status == line["response"]["status"]
        assert answer.error == recorded
    assert len(refused) >= 1


def test_recorded_answers_come_back_as_they_were(taken: list[Exchange]) -> None:
    some = list(in_time_order([e for e in taken if unusable(e) is None][::20]))
    emulator = Emulator(Replayed(some))
    for exchange in some:
        emulator.clock.set(time_of(exchange))
        raw = orjson.dumps(exchange.body)
        answer = asyncio.run(request(emulator, "POST", "/v1/messages", raw, BETAS))
        if answer.status != 200:
            assert answer.error["message"] in NOT_TAKEN, exchange.where
            continue
        if exchange.body.get("stream"):
            continue
        assert answer.body["content"] == exchange.response["content"]
        assert answer.body["stop_reason"] == exchange.response["stop_reason"]
        assert exchange.usage is not None
        billed = emulator.bill[-1].usage
        assert billed.total_input == exchange.usage.total_input
        assert billed.output_tokens == exchange.usage.output_tokens
    assert len(some) > 100
