"""Recorded conversations with old content taken out in every way scrimp knows: none of them is refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

import scrimp
from scrimp.core.carry.cut import History, cut_here, cut_there, with_compaction
from scrimp.core.carry.on_demand import gone_on
from scrimp.core.trim import trimmed
from scrimp.emulator import Emulator
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus
from tests.emulator.asgi import HEADERS, request
from tests.emulator.test_emulator_recorded import time_of

BETAS = HEADERS | {
    "anthropic-beta": "context-management-2025-06-27,compact-2026-01-12,compact-2026-09-04,"
    "thinking-binding-controls-2026-08-01"
}
_A_SOURCE = 40
"""Conversations looked at of one source, spread over it."""


def conversations(traces: Path) -> Iterator[tuple[float, dict[str, Any]]]:
    """Recorded requests of the Messages API with a tool loop behind them, and when they were made."""
    corpus = read_corpus([traces / "exchanges"])
    for source in corpus.sources.values():
        found = [
            one
            for one in source
            if (one.kind, one.status, one.provider) == ("messages", 200, "anthropic")
            and isinstance(one.body.get("messages"), list)
            and len(one.body["messages"]) >= 6
            and len(History.of(one.body["messages"]).uses) >= 3
        ]
        for exchange in found[:: max(1, len(found) // _A_SOURCE)]:
            yield time_of(exchange), dict(exchange.body)


def ways(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The request with old content taken out."""
    model, messages = default().resolve(str(body["model"])), body["messages"]
    history = History.of(messages)
    half = history.cut(len(history.uses) // 2, thinking=False)
    plain = {name: value for name, value in body.items() if name != "context_management"}
    if model.features.context_editing:
        yield "cleared there", dict(cut_there(plain, history, half, ()))
    if model.features.thinking_binding == "none":
        yield "cleared here", dict(cut_here(plain, history, half, ()))
        kept = trimmed(messages, model, trigger=2_000, keep=1_000, keep_turns=1)
        left = scrimp.trim(messages, model=model.id, trigger=2_000, keep=1_000, keep_turns=1)
        assert len(left) == len(messages) - (kept.cut - kept.head) + len(kept.standing)
        yield "trimmed", {**plain, "messages": left}
    if "threshold" in model.features.compaction:
        yield "summed up", dict(with_compaction(plain, 50_000))
        summary = {"type": "compaction", "content": "what was said"}
        yield "after a summary", {**plain, "messages": gone_on(summary, messages, 1)}


@pytest.fixture(scope="module")
def refused(traces: Path) -> tuple[Counter[str], list[str]]:
    """How many requests were sent of each kind, and what was said of those that were refused."""
    emulator = Emulator(retires=True)
    sent: Counter[str] = Counter()
    words: list[str] = []

    async def send_all() -> None:
        for at, body in conversations(traces):
            emulator.clock.set(at)
            own = await request(emulator, "POST", "/v1/messages", orjson.dumps(body), BETAS)
            if own.status != 200:
                continue  # refused as it was: nothing of ours
            for way, changed in ways(body):
                answer = await request(emulator, "POST", "/v1/messages", orjson.dumps(changed), BETAS)
                sent[way] += 1
                if answer.status != 200:
                    words.append(f"{way}: {answer.error['message']}")

    asyncio.run(send_all())
    return sent, words


def test_what_is_taken_out_of_recorded_conversations_leaves_valid_requests(
    refused: tuple[Counter[str], list[str]],
) -> None:
    sent, words = refused
    assert words == []
    assert min(sent.values()) >= 20
    assert set(sent) == {"cleared there", "cleared here", "trimmed", "summed up", "after a summary"}
