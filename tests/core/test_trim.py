"""Trimming: what is left is valid, the same again and again, and never torn apart."""

from __future__ import annotations

import warnings
from datetime import date
from itertools import pairwise
from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scrimp
from scrimp.emulator import Agent, Emulator
from scrimp.emulator.asked import Asked
from scrimp.emulator.validate import validate
from scrimp.errors import RequestError, ScrimpWarning
from scrimp.facts.models import resolve

MODEL = "claude-opus-4-5"
WORDS = "word " * 200
"""About 200 tokens."""


def body(messages: list[Any], model: str = MODEL) -> Asked:
    tools = [{"name": "read", "input_schema": {"type": "object"}}]
    asked = {"model": model, "max_tokens": 100, "messages": messages, "tools": tools}
    return Asked(body=asked, name=model, model=resolve(model), day=date(2026, 11, 21))


@st.composite
def conversations(draw: st.DrawFn, *, system: bool = False) -> list[dict[str, Any]]:
    """A valid conversation that ends with the user, or with a system message behind it."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "the task " + WORDS}]
    for step in range(draw(st.integers(0, 14))):
        uses = [f"toolu_{step}_{n}" for n in range(draw(st.integers(0, 3)))]
        said: list[dict[str, Any]] = [{"type": "text", "text": f"step {step} {WORDS}"}]
        said += [{"type": "tool_use", "id": one, "name": "read", "input": {}} for one in uses]
        messages.append({"role": "assistant", "content": said})
        results: list[dict[str, Any]] = [
            {"type": "tool_result", "tool_use_id": one, "content": WORDS * draw(st.integers(0, 3))}
            for one in draw(st.permutations(uses))
        ]
        if not uses or draw(st.booleans()):
            results.append({"type": "text", "text": f"and {step}"})
        messages.append({"role": "user", "content": results})
        if system and draw(st.booleans()):
            messages.append({"role": "system", "content": "be brief"})
    return messages


LIMITS = st.tuples(st.integers(200, 4_000), st.integers(0, 100), st.integers(0, 4))


def trim(messages: list[Any], limits: tuple[int, int, int], model: str = MODEL) -> list[Any]:
    trigger, share, turns = limits
    return scrimp.trim(messages, model=model, trigger=trigger, keep=trigger * share // 100, keep_turns=turns)


@given(conversations(), LIMITS)
def test_what_is_left_is_valid_whole_and_the_same_again(
    messages: list[dict[str, Any]], limits: tuple[int, int, int]
) -> None:
    assert validate(body(messages)) is None
    left = trim(messages, limits)
    assert validate(body(left)) is None
    assert left[0] is messages[0]
    kept = len(left) - 1
    assert all(one is other for one, other in zip(left[1:], messages[len(messages) - kept :], strict=True))
    answers = sum(message["role"] == "assistant" for message in messages)
    assert sum(message["role"] == "assistant" for message in left) >= min(limits[2], answers)
    assert trim(left, limits) == left


@given(conversations(system=True), LIMITS)
def test_system_messages_stay_and_stand_where_they_may(
    messages: list[dict[str, Any]], limits: tuple[int, int, int]
) -> None:
    model = "claude-opus-4-8"
    assert validate(body(messages, model)) is None
    left = trim(messages, limits, model)
    assert validate(body(left, model)) is None
    assert [one for one in left if one["role"] == "system"] == [
        one for one in messages if one["role"] == "system"
    ]
    assert trim(left, limits, model) == left


def test_the_task_stays_behind_a_greeting() -> None:
    greeting = {"role": "assistant", "content": "Hi! What can I do?"}
    task = {"role": "user", "content": "the task"}
    steps = [
        message
        for step in range(10)
        for message in (
            {"role": "assistant", "content": f"{step} {WORDS}"},
            {"role": "user", "content": "go on"},
        )
    ]
    left = scrimp.trim([greeting, task, *steps], model=MODEL, trigger=1_000)
    assert left[:2] == [greeting, task]
    assert len(left) < 12


def test_results_of_the_providers_own_tools_stay_with_their_calls() -> None:
    """A program calls a tool of the caller's: its own result comes only in the turn after that one's."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "task"}]
    for step in range(8):
        program = {"type": "server_tool_use", "id": f"srvtoolu_{step}", "name": "code_execution", "input": {}}
        use = {"type": "tool_use", "id": f"toolu_{step}", "name": "read", "input": {}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{step}", "content": WORDS}
        done = {"type": "code_execution_tool_result", "tool_use_id": f"srvtoolu_{step}", "content": {}}
        messages += [
            {"role": "assistant", "content": [program, use]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [done, {"type": "text", "text": WORDS}]},
            {"role": "user", "content": "go on"},
        ]
    for trigger in range(600, 3_000, 100):
        left = scrimp.trim(messages, model=MODEL, trigger=trigger)
        assert len(left) == 1 or left[1]["content"][0]["type"] == "server_tool_use"


@given(conversations(), LIMITS)
def test_a_cut_stays_while_the_conversation_grows(
    messages: list[dict[str, Any]], limits: tuple[int, int, int]
) -> None:
    """Trimming its own result and going on is trimming the whole history."""
    ends = [at + 1 for at, message in enumerate(messages) if message["role"] == "user"]
    own = messages[: ends[0]]
    for before, after in pairwise(ends):
        own = trim([*own, *messages[before:after]], limits)
        assert own == trim(messages[:after], limits)


def test_nothing_goes_before_it_is_too_long_and_then_as_much_as_was_said() -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "task"}]
    for step in range(10):
        messages.append({"role": "assistant", "content": f"{step} {WORDS}"})
        messages.append({"role": "user", "content": "go on"})
    assert scrimp.trim(messages, model=MODEL, trigger=4_000) == messages
    left = scrimp.trim(messages, model=MODEL, trigger=1_700, keep=950)
    # Nine steps of about 200 tokens are more than 1,700, four of them fewer than 950; then came the tenth.
    assert [one["content"][:1] for one in left if one["role"] == "assistant"] == ["5", "6", "7", "8", "9"]


def bound() -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "task"}]
    for step in range(8):
        thought = {"type": "thinking", "thinking": WORDS, "signature": f"s{step}"}
        said = {"type": "text", "text": f"{step} {WORDS}"}
        messages.append({"role": "assistant", "content": [thought, said]})
        messages.append({"role": "user", "content": "go on"})
    return messages


def test_bound_thinking_is_left_where_it_is_and_said_so() -> None:
    model, messages = "claude-fable-5-2", bound()
    thoughtless = [
        {**one, "content": one["content"][-1:]} if one["role"] == "assistant" else one for one in messages
    ]
    for history in (messages, thoughtless):  # without any as yet, the next answer may think
        with pytest.warns(ScrimpWarning, match="this model binds its thinking"):
            assert scrimp.trim(history, model=model, trigger=1_000) == history
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(scrimp.trim(messages, model=MODEL, trigger=1_000)) < len(messages)


def test_a_compaction_block_stands_for_the_beginning() -> None:
    messages = bound()
    messages[1] = {"role": "assistant", "content": [{"type": "compaction", "content": "sum"}]}
    with pytest.warns(ScrimpWarning, match="compaction block"):
        assert scrimp.trim(messages, model=MODEL, trigger=1_000) == messages


@pytest.mark.parametrize(
    ("messages", "limits", "words"),
    [
        (["hello"], {}, "messages.0: expected an object with role and content"),
        ("hello", {}, "messages: expected a list of messages, found str"),
        (None, {}, "messages: expected a list of messages, found NoneType"),
        ([{"role": "user", "content": None}], {}, "messages.0.content: expected a text or a list of blocks"),
        ([{"role": "user"}], {}, "messages.0: expected an object with role and content"),
        ([], {"trigger": 10, "keep": 20}, r"keep \(20\) should be between 0 and trigger \(10\)"),
        ([], {"keep_turns": -1}, "keep_turns 0 or more"),
    ],
)
def test_what_cannot_be_trimmed_is_one_line(messages: Any, limits: dict[str, int], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        scrimp.trim(messages, model=MODEL, **limits)


def test_an_agent_of_the_sdk_goes_on_over_cuts_and_reads_its_cache() -> None:
    """The SDK's own blocks go into the history as they came, and each prefix is read until the next cut."""
    tools: Any = [{"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}]
    messages: list[Any] = [{"role": "user", "content": "go"}]
    with (
        Emulator(Agent(steps=40)) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="any") as client,
    ):
        for _ in range(16):
            messages = scrimp.trim(messages, model=MODEL, trigger=12_000, keep=6_000)
            answer = client.messages.create(
                model=MODEL,
                max_tokens=500,
                messages=messages,
                tools=tools,
                cache_control={"type": "ephemeral"},
                system=WORDS * 20,
            )
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": WORDS * 4}
                for block in answer.content
                if block.type == "tool_use"
            ]
            messages.append({"role": "assistant", "content": answer.content})
            messages.append({"role": "user", "content": results})
        usages = [billed.usage for billed in emulator.bill]
    shrunk = [after.total_input < before.total_input for before, after in pairwise(usages)]
    assert 1 <= sum(shrunk) <= 3
    for (before, after), cut in zip(pairwise(usages), shrunk, strict=True):
        if not cut:
            assert after.cache_read_input_tokens == before.total_input - before.input_tokens
