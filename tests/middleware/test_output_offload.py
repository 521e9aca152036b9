"""Cut replies asked for again while `scrimp_fetch` is served, in the SDK and the gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.emulator import Emulator
from scrimp.emulator.replies import tool_use
from scrimp.offloading import Offload
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.offload_memory import MemoryOffload
from tests.gateway.doors import door

LOG = "\n".join(f"worker-{n % 7} handled {n * 7919 % 100_003} in {n % 97} ms" for n in range(2_000))
TOLD = "It says a lot. " * 1_000
LS = {"name": "ls", "description": "Read.", "input_schema": {"type": "object", "properties": {}}}


def speak(body: dict[str, Any]) -> Any:
    last = body["messages"][-1]["content"]
    if isinstance(last, str):
        return tool_use("ls", {})
    found = last[-1]["content"]
    handle = re.search(r"\b[a-z2-7]{16}\b", found if isinstance(found, str) else found[0]["text"])
    return TOLD if handle is None else tool_use("scrimp_fetch", {"handle": handle[0], "range": "501-503"})


@contextmanager
def in_sdk(
    monkeypatch: pytest.MonkeyPatch, levers: list[Any]
) -> Iterator[tuple[Any, Emulator, MemoryLedger]]:
    ledger = MemoryLedger()
    with Emulator(speak) as emulator:
        options: dict[str, Any] = {"base_url": emulator.url, "api_key": "k", "max_retries": 0}
        middleware = scrimp.Middleware(ledger=ledger, levers=levers)
        with anthropic.Anthropic(**options, middleware=[middleware]) as sdk:
            yield sdk, emulator, ledger


@contextmanager
def in_gateway(
    monkeypatch: pytest.MonkeyPatch, levers: list[Any]
) -> Iterator[tuple[Any, Emulator, MemoryLedger]]:
    monkeypatch.setattr("scrimp.gateway.parts.levers_of", lambda *_: levers)
    with door(Emulator(speak), serve={"mode": "save"}) as found, found.sdk(max_retries=0) as sdk:
        yield sdk, found.emulator, found.ledger


@pytest.mark.parametrize("way", [in_sdk, in_gateway])
def test_the_last_round_is_asked_for_again_and_the_caller_gets_one_whole_answer(
    way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    levers = [Offload(always=True, store=MemoryOffload()), scrimp.Output(retry_cut=True)]
    with way(monkeypatch, levers) as (sdk, emulator, ledger):
        request: dict[str, Any] = {"model": "claude-opus-4-8", "max_tokens": 9_000, "tools": [LS]}
        messages: list[Any] = [{"role": "user", "content": "Why is it slow?"}]
        first = sdk.messages.create(**request, messages=messages)
        result = {"type": "tool_result", "tool_use_id": first.content[0].id, "content": LOG}
        messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        answer = sdk.messages.create(**request, messages=messages)
        ledger.flush()
        costs = [record.cost for record in ledger.records()]
        limits = [one.body["max_tokens"] for one in emulator.requests]
        billed = emulator.total
    assert answer.content[-1].text == TOLD
    assert answer.stop_reason == "end_turn"
    assert len(limits) == len(costs) == 4  # ls, the fetch, what was cut, and that once more
    assert limits[-1] == 9_000
    assert max(limits[:-1]) < 9_000
    assert sum(costs) == billed
