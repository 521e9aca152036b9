"""The loop guard through the real SDK: agents that go round in circles, and what they are billed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.loop_guard import WRAP_UP, LoopGuard
from scrimp.emulator import Clock, Emulator, Fault, Scripted
from scrimp.errors import LoopStopped, ScrimpWarning
from scrimp.stores.memory import MemoryLedger

MODEL = "claude-sonnet-4-6"
NOON = 1_795_000_000.0
TOOL = {
    "name": "read",
    "description": "Read a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}


def reading(number: int) -> list[dict[str, Any]]:
    return [{"type": "tool_use", "id": f"toolu_{number}", "name": "read", "input": {"path": "a.py"}}]


def request(messages: list[Any]) -> dict[str, Any]:
    return {
        "model": MODEL,
        "max_tokens": 200,
        "system": "You mend tests. " * 600,
        "tools": [TOOL],
        "messages": messages,
    }


def grown(messages: list[Any], answer: Any) -> list[Any]:
    uses = [block for block in answer.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "text"} for use in uses]
    said = [{"type": block.type, **block.model_dump(exclude_none=True)} for block in answer.content]
    return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": results}]


def loop(url: str, middleware: Any) -> str | None:
    """An agent's own loop, until it has an answer or is stopped."""
    messages: list[Any] = [{"role": "user", "content": "Mend the test."}]
    with anthropic.Anthropic(base_url=url, api_key="k", middleware=[middleware]) as client:
        for _ in range(20):
            answer = client.messages.create(**request(messages))
            if answer.stop_reason == "end_turn":
                return str(answer.content[0].text)
            messages = grown(messages, answer)
    return None


def loop_async(url: str, middleware: Any) -> str | None:
    async def run() -> str | None:
        messages: list[Any] = [{"role": "user", "content": "Mend the test."}]
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k", middleware=[middleware]) as client:
            for _ in range(20):
                async with client.messages.stream(**request(messages)) as stream:
                    answer = await stream.get_final_message()
                if answer.stop_reason == "end_turn":
                    return str(answer.content[0].text)
                messages = grown(messages, answer)
        return None

    return asyncio.run(run())


def emulated(*, answers: int, last: str | None = None) -> Emulator:
    said: list[Any] = [reading(number) for number in range(answers)]
    return Emulator(Scripted([*said, *([last] if last else [])]), clock=Clock(NOON))


def billed_as_told(api: Emulator, ledger: MemoryLedger) -> bool:
    ledger.flush()
    records = list(ledger.records())
    told = [(record.usage.total_input, record.usage.output_tokens, record.cost) for record in records]
    return told == [(bill.usage.total_input, bill.usage.output_tokens, bill.cost) for bill in api.bill]


@pytest.mark.parametrize("agent", [loop, loop_async])
def test_a_looping_agent_is_stopped_before_its_fifth_call(agent: Callable[..., Any]) -> None:
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(ledger=ledger, clock=lambda: NOON, levers=[LoopGuard()])
    with emulated(answers=20) as api:
        with pytest.raises(LoopStopped, match="the tool read called 4 times in a row") as raised:
            agent(api.url, middleware)
        assert len(api.bill) == 4
        assert billed_as_told(api, ledger)
    assert raised.value.steps == 4


@pytest.mark.parametrize("agent", [loop, loop_async])
def test_a_last_turn_gets_an_answer_and_is_read_from_the_cache(agent: Callable[..., Any]) -> None:
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(
        mode="save", ledger=ledger, clock=lambda: NOON, levers=[LoopGuard(on_loop="wrap_up")]
    )
    with emulated(answers=4, last="It fails.") as api:
        assert agent(api.url, middleware) == "It fails."
        assert len(api.bill) == 5
        assert billed_as_told(api, ledger)
        posted = [one.body for one in api.requests if one.method == "POST"]
    assert [WRAP_UP in str(body["messages"]) for body in posted] == [False] * 4 + [True]
    last = list(ledger.records())[-1]
    assert last.usage.cache_read_input_tokens > 0.9 * (last.usage.total_input - 200)
    assert any("asked to answer" in note for note in last.notes)


@pytest.mark.parametrize("agent", [loop, loop_async])
def test_an_agent_that_goes_on_after_its_last_turn_is_stopped(agent: Callable[..., Any]) -> None:
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(
        mode="save", ledger=ledger, clock=lambda: NOON, levers=[LoopGuard(on_loop="wrap_up")]
    )
    with emulated(answers=20) as api:
        with pytest.raises(LoopStopped, match="after its last turn"):
            agent(api.url, middleware)
        assert len(api.bill) == 5
        assert billed_as_told(api, ledger)


def test_a_warning_is_given_once_and_the_calls_go_on() -> None:
    ledger = MemoryLedger()
    middleware = scrimp.Middleware(ledger=ledger, clock=lambda: NOON, levers=[LoopGuard(on_loop="warn")])
    with (
        emulated(answers=7, last="Done.") as api,
        scrimp.run("nightly"),
        pytest.warns(ScrimpWarning, match="nightly seems to go round in circles") as said,
    ):
        assert loop(api.url, middleware) == "Done."
    assert len(said) == 1
    noted = [any(note.startswith("loop:") for note in record.notes) for record in ledger.records()]
    assert noted == [False] * 4 + [True] * 4


def spoken(url: str, middleware: list[Any], messages: list[Any]) -> Any:
    body = {**request(messages), "model": "claude-fable-5-2"}
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0, middleware=middleware) as client:
        return client.messages.create(**body)


def test_a_conversation_with_bound_thinking_goes_on_anywhere_after_its_last_turn() -> None:
    thought = {"type": "thinking", "thinking": "hm"}
    said = [[thought, *reading(number)] for number in range(4)]

    def middleware() -> Any:
        return scrimp.Middleware(
            ledger=MemoryLedger(), clock=lambda: NOON, levers=[LoopGuard(on_loop="wrap_up")]
        )

    first, messages = middleware(), [{"role": "user", "content": "Mend the test."}]
    last = [thought, {"type": "text", "text": "It fails."}]
    with Emulator(Scripted([*said, last, "Bye.", "Bye.", "Bye."])) as api:
        for _ in range(5):
            answer = spoken(api.url, [first], messages)
            messages = grown(messages, answer)
        assert answer.content[-1].text == "It fails."
        messages[-1] = {"role": "user", "content": "Never mind."}
        for elsewhere in ([first], [middleware()], []):  # here, after a restart, without
            assert spoken(api.url, elsewhere, messages).content[0].text == "Bye."
        posted = [one.body for one in api.requests if one.method == "POST"]
    assert not any(WRAP_UP in str(body["messages"]) for body in posted)
    assert [body.get("tool_choice") for body in posted[:6]] == [None] * 4 + [{"type": "none"}, None]


@pytest.mark.parametrize("agent", [loop, loop_async])
def test_an_agent_that_does_something_else_after_its_last_turn_is_stopped(
    agent: Callable[..., Any],
) -> None:
    other = [{"type": "tool_use", "id": "toolu_x", "name": "read", "input": {"path": "b.py"}}]
    middleware = scrimp.Middleware(
        ledger=MemoryLedger(), clock=lambda: NOON, levers=[LoopGuard(on_loop="wrap_up")]
    )
    with Emulator(Scripted([*(reading(n) for n in range(4)), *[other] * 9]), clock=Clock(NOON)) as api:
        with pytest.raises(LoopStopped, match="after its last turn"):
            agent(api.url, middleware)
        assert len(api.bill) == 5


@pytest.mark.parametrize("agent", [loop, loop_async])
def test_a_last_turn_that_has_to_be_sent_again_is_the_same(agent: Callable[..., Any]) -> None:
    middleware = scrimp.Middleware(
        ledger=MemoryLedger(), clock=lambda: NOON, levers=[LoopGuard(on_loop="wrap_up")]
    )
    fault = Fault("overloaded", match=lambda body: WRAP_UP in str(body["messages"]))
    said = [*(reading(n) for n in range(4)), "It fails."]
    with Emulator(Scripted(said), clock=Clock(NOON), faults=[fault]) as api:
        assert agent(api.url, middleware) == "It fails."
        refused, sent = [one.body for one in api.requests if one.method == "POST"][-2:]
    assert WRAP_UP in str(sent["messages"])
    for part in ("messages", "tool_choice", "tools"):
        assert refused.get(part) == sent.get(part)
