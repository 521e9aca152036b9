"""Recorded agents driven through the real SDK over HTTP: the same bills as the pure replay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

import scrimp
from scrimp.core.summary import replay_source
from scrimp.emulator import Emulator, Replayed
from scrimp.facts.models import default
from scrimp.stores.memory import MemoryLedger
from scrimp.traces.corpus import Corpus, read_corpus, recorded_sources
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.sizes import Sizes

RUNS = Path(scrimp.__file__).parent / "cli" / "recordings" / "openhands"
SOME = 8


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The first runs by name, as recorded."""
    return read_corpus(sorted(RUNS.glob("*.jsonl.xz"))[:SOME])


def exchanges(corpus: Corpus) -> Iterator[Exchange]:
    """Every call as it happened, on one route."""
    (calls,) = corpus.sources.values()
    return in_time_order(calls)


def send(client: anthropic.Anthropic, body: Any) -> Message:
    """The recorded request as it is: today's SDK no longer names some of its parameters."""
    return client.post("/v1/messages", body=dict(body), cast_to=Message)


def over_http(corpus: Corpus, middleware: list[Any], emulator: Emulator) -> None:
    with anthropic.Anthropic(
        base_url=emulator.url, api_key="k", middleware=middleware, max_retries=0
    ) as client:
        for exchange in exchanges(corpus):
            emulator.clock.set(exchange.at)
            send(client, exchange.body)


def replayed(corpus: Corpus, policy: str) -> tuple[int, list[int]]:
    """The pure replay: input and output in picodollars, and what each call read."""
    ((_, calls),) = recorded_sources(corpus, default(), sizer=Sizes(), route="anthropic")
    done = replay_source(calls, (policy,)).policies[policy]
    return sum(one.input_cost + one.output_cost for one in done), [one.outcome.read for one in done]


def test_as_recorded(corpus: Corpus) -> None:
    with Emulator(Replayed(exchanges(corpus))) as emulator:
        over_http(corpus, [], emulator)
        total, reads = replayed(corpus, "recorded")
        assert [one.usage.cache_read_input_tokens for one in emulator.bill] == reads
        assert emulator.total == total


def test_with_scrimp(corpus: Corpus) -> None:
    ledger = MemoryLedger()
    with Emulator(Replayed(exchanges(corpus))) as emulator:
        middleware = scrimp.Middleware(ledger=ledger, clock=emulator.clock.now)
        over_http(corpus, [middleware], emulator)
        total, reads = replayed(corpus, "scrimp")
        assert [one.usage.cache_read_input_tokens for one in emulator.bill] == reads
        assert emulator.total == total
        ledger.flush()
        assert sum(record.cost for record in ledger.records()) == total
