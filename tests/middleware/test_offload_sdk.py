"""Offloading through the real SDK and the emulator: what goes out, what is billed, and what binds."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.emulator import Emulator
from scrimp.emulator.replies import text, thinking, tool_use
from scrimp.offloading import Offload
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.offload_memory import MemoryOffload

BOUND = "claude-fable-5-2"
TOOLS = [{"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}]
STEPS = 5


def page(number: int) -> str:
    return "\n".join(
        f"part {number} line {at}: value_{number}_{at} is {at * 7919 % 10_007}" for at in range(700)
    )


def speak(body: dict[str, Any]) -> Any:
    """Reads one large thing after the other, thinking before each."""
    done = sum(message["role"] == "assistant" for message in body["messages"])
    if done == STEPS:
        return [thinking("That was all."), text("Done.")]
    return [thinking(f"I need part {done}."), tool_use("read", {"part": done})]


def asked(messages: list[Any], model: str) -> dict[str, Any]:
    return {
        "model": model,
        "max_tokens": 4_000,
        "thinking": {"type": "adaptive"},
        "system": "You read all parts. " * 400,
        "tools": TOOLS,
        "messages": messages,
    }


def grown(messages: list[Any], answer: Any) -> list[Any]:
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": page(block.input["part"])}
        for block in answer.content
        if block.type == "tool_use"
    ]
    said = [block.model_dump(exclude_none=True) for block in answer.content]
    return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": results}]


def run(url: str, middleware: Any, model: str) -> str:
    messages: list[Any] = [{"role": "user", "content": "Read all parts."}]
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0, middleware=[middleware]) as client:
        for _ in range(STEPS):
            messages = grown(messages, client.messages.create(**asked(messages, model)))
        return str(client.messages.create(**asked(messages, model)).content[-1].text)


def run_async(url: str, middleware: Any, model: str) -> str:
    async def agent() -> str:
        messages: list[Any] = [{"role": "user", "content": "Read all parts."}]
        async with anthropic.AsyncAnthropic(
            base_url=url, api_key="k", max_retries=0, middleware=[middleware]
        ) as client:
            for _ in range(STEPS):
                async with client.messages.stream(**asked(messages, model)) as stream:
                    messages = grown(messages, await stream.get_final_message())
            answer = await client.messages.create(**asked(messages, model))
        return str(answer.content[-1].text)

    return asyncio.run(agent())


def whole(agent: Any, model: str, *levers: Offload) -> tuple[Emulator, MemoryLedger, str]:
    ledger = MemoryLedger()
    with Emulator(speak) as api:
        middleware = scrimp.Middleware(levers=levers, ledger=ledger)
        said = agent(api.url, middleware, model)
    ledger.flush()
    return api, ledger, said


@pytest.mark.parametrize("agent", [run, run_async])
@pytest.mark.parametrize("model", [BOUND, "claude-opus-4-8"])
def test_an_agent_pays_less_and_its_thinking_stays_bound(agent: Any, model: str) -> None:
    plain, _, _ = whole(agent, model)
    api, ledger, said = whole(agent, model, Offload(always=True, store=MemoryOffload()))
    assert said == "Done."
    assert [entry.status for entry in ledger.records()] == [200] * (STEPS + 1)
    bills = [one.usage for one in api.bill]
    assert len(bills) == STEPS + 1
    for before, after in pairwise(bills):
        # All that was sent before is read: nothing of it has changed.
        assert (
            after.cache_read_input_tokens
            >= before.cache_read_input_tokens + before.cache_creation_input_tokens
        )
    assert sum(one.cost for one in api.bill) < 0.6 * sum(one.cost for one in plain.bill)
    assert sum(record.cost for record in ledger.records()) == sum(one.cost for one in api.bill)


def test_the_ledger_says_what_was_done_and_saved() -> None:
    _, ledger, _ = whole(run, "claude-opus-4-8", Offload(always=True, store=MemoryOffload()))
    records = ledger.records()
    assert sum("read result from" in str(record.notes) for record in records) == STEPS
    assert all(record.own_cost is not None and record.own_cost > record.cost for record in list(records)[1:])
