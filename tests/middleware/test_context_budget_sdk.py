"""The context budget through the real SDK: long agents go on within it, and the ledger says how full."""

from __future__ import annotations

import asyncio
import warnings
from functools import cache
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.context_budget import ContextBudget
from scrimp.emulator import Clock, Emulator, Scripted
from scrimp.errors import ContextExceeded
from scrimp.stores.memory import MemoryLedger
from tests.core.test_context_budget import WORDS

MODEL = "claude-haiku-4-5"
NOON = 1_795_000_000.0
TOOL: Any = {"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}


def request(messages: list[Any]) -> Any:
    return {
        "model": MODEL,
        "max_tokens": 200,
        "system": "You mend. " * 700,
        "tools": [TOOL],
        "messages": messages,
    }


def grown(messages: list[Any], answer: Any) -> list[Any]:
    uses = [block for block in answer.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": f"{use.id} {WORDS}"} for use in uses]
    return [*messages, {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]


def agent(url: str, middleware: Any, steps: int) -> None:
    messages: list[Any] = [{"role": "user", "content": "Mend the build."}]
    with anthropic.Anthropic(base_url=url, api_key="k", middleware=[middleware]) as client:
        for _ in range(steps):
            messages = grown(messages, client.messages.create(**request(messages)))


def agent_async(url: str, middleware: Any, steps: int) -> None:
    async def run() -> None:
        messages: list[Any] = [{"role": "user", "content": "Mend the build."}]
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k", middleware=[middleware]) as client:
            for _ in range(steps):
                async with client.messages.stream(**request(messages)) as stream:
                    messages = grown(messages, await stream.get_final_message())

    asyncio.run(run())


def emulated(steps: int, clock: Clock | None = None) -> Emulator:
    uses = [
        [{"type": "tool_use", "id": f"toolu_{n}", "name": "read", "input": {"path": f"src/m{n}.py"}}]
        for n in range(steps)
    ]
    return Emulator(Scripted(uses), clock=clock or Clock(NOON))


@pytest.mark.parametrize("run", [agent, agent_async])
def test_a_long_agent_goes_on_within_its_budget(run: Any) -> None:
    ledger = MemoryLedger()
    budget = ContextBudget(soft=14_000, hard=20_000)
    middleware = scrimp.Middleware(ledger=ledger, clock=lambda: NOON, levers=[budget])
    with emulated(50) as api:
        run(api.url, middleware, 50)
        bills = [(one.usage.total_input, one.usage.output_tokens, one.cost) for one in api.bill]
    ledger.flush()
    records = list(ledger.records())
    assert [(one.usage.total_input, one.usage.output_tokens, one.cost) for one in records] == bills
    assert max(one.usage.total_input for one in records) < 15_000
    assert {one.window for one in records} == {200_000}
    assert records[-1].window_used == records[-1].usage.total_input / 200_000
    compacted = [any("as a session state" in note for note in one.notes) for one in records]
    assert compacted == sorted(compacted)
    assert sum(compacted) > 20
    misses = [one for one in records[2:] if one.usage.cache_read_input_tokens < 0.5 * one.usage.total_input]
    assert 1 <= len(misses) <= 4  # at cuts alone the messages are written anew
    assert sum(one.saved or 0 for one in records) > 0


@pytest.mark.parametrize("run", [agent, agent_async])
def test_beyond_the_ceiling_nothing_is_sent(run: Any) -> None:
    ledger = MemoryLedger()
    budget = ContextBudget(soft=None, hard=10_000)
    middleware = scrimp.Middleware(mode="safe", ledger=ledger, clock=lambda: NOON, levers=[budget])
    with emulated(50) as api:
        with pytest.raises(ContextExceeded, match="its run allows 10,000"):
            run(api.url, middleware, 50)
        assert max(one.usage.total_input for one in api.bill) < 10_500
        sent = len(api.bill)
    ledger.flush()
    assert len(list(ledger.records())) == sent


def test_where_thinking_is_bound_the_api_sums_up_and_the_agent_goes_on() -> None:
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(ledger=ledger, clock=lambda: NOON, levers=[ContextBudget(soft=50_000)])
    messages: list[Any] = [{"role": "user", "content": "Mend the build."}]
    with (
        emulated(40) as api,
        anthropic.Anthropic(base_url=api.url, api_key="k", max_retries=0, middleware=[middleware]) as client,
    ):
        for step in range(40):
            answer = client.beta.messages.create(**{**request(messages), "model": "claude-fable-5-2"})
            uses = [block for block in answer.content if block.type == "tool_use"]
            results = [
                {"type": "tool_result", "tool_use_id": use.id, "content": f"{step} {WORDS * 4}"}
                for use in uses
            ]
            messages.append({"role": "assistant", "content": [one.to_dict() for one in answer.content]})
            messages.append({"role": "user", "content": results or "Go on."})
        bills = [one.cost for one in api.bill]
    ledger.flush()
    records = list(ledger.records())
    assert [one.cost for one in records] == bills
    summed = [any(each.type == "compaction" for each in one.usage.iterations or ()) for one in records]
    assert 1 <= sum(summed) <= 3
    assert max(one.usage.total_input for one in records if not one.usage.iterations) < 56_000
    assert all(not one.fault for one in records)


def worked(run: Any, levers: list[Any], steps: int = 50) -> list[Any]:
    """The records of an agent's work, which are as they were billed."""
    ledger, clock = MemoryLedger(), Clock(NOON)
    middleware = scrimp.Middleware(ledger=ledger, clock=clock.now, levers=levers)
    with emulated(steps, clock) as api:
        run(api.url, middleware, steps)
        bills = [(one.usage.total_input, one.usage.output_tokens, one.cost) for one in api.bill]
    ledger.flush()
    records = list(ledger.records())
    assert [(one.usage.total_input, one.usage.output_tokens, one.cost) for one in records] == bills
    assert not any(one.fault for one in records)
    return records


@cache
def budgeted(soft: int | None) -> list[Any]:
    """The records of the same work within a budget alone, or within none; both clients send the same."""
    return worked(agent, [] if soft is None else [ContextBudget(soft=soft)])


@pytest.mark.parametrize("run", [agent, agent_async])
@pytest.mark.parametrize("soft", [14_000, 24_000])
def test_beside_carry_a_budget_costs_no_more_than_alone(run: Any, soft: int) -> None:
    alone = budgeted(soft)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "the API cleared another number")
        both = worked(run, [scrimp.Carry(risk=0.5), ContextBudget(soft=soft)])
    assert sum(one.cost for one in both) <= 1.005 * sum(one.cost for one in alone)
    assert max(one.usage.total_input for one in both) < 1.05 * soft
    missed = [one for one in both[3:] if one.usage.cache_read_input_tokens < 0.5 * one.usage.total_input]
    notes = [note for one in both for note in one.notes]
    cuts = {note for note in notes if "as a session state" in note}
    assert 1 <= len(missed) <= len(cuts) + sum("carry: cleared" in note for note in notes)


@pytest.mark.parametrize("run", [agent, agent_async])
def test_what_carry_has_cleared_counts_for_neither_threshold(run: Any) -> None:
    carry = {"risk": 0.9, "keep": 1}
    plain, alone = budgeted(None), worked(run, [scrimp.Carry(**carry)])
    longest, carried = (max(one.usage.total_input for one in records) for records in (plain, alone))
    assert 1.3 * carried < longest
    limit = int(1.15 * carried)
    for budget in (ContextBudget(soft=limit, hard=None), ContextBudget(soft=None, hard=limit)):
        both = worked(run, [scrimp.Carry(**carry), budget])
        assert [one.cost for one in both] == [one.cost for one in alone]
