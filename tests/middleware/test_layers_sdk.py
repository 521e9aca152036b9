"""Layers through the real SDK: what is shared is written once and read by all others, to the token.

A token here is a word, so that what must be read and written can be counted by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.prompt import Prompt
from scrimp.emulator import Clock, Emulator, PromptLength, Scripted
from scrimp.emulator.books import Billed
from scrimp.facts.model import Model
from scrimp.stores.memory import MemoryLedger

MODEL = "claude-opus-4-8"
NOON = 1_795_000_000.0
TOOLS, RULES, MANUAL, SAMPLES, USER, QUESTION, ANSWER = 1100, 1300, 1700, 1900, 700, 110, 60
SHARED = TOOLS + RULES + MANUAL + SAMPLES
USERS, TURNS = 5, 4


def words(count: int, name: str = "w") -> str:
    return " ".join([name] * count)


def in_words(prompt: Prompt, body: dict[str, Any], model: Model, name: str) -> PromptLength:
    sizes = [len(_text_of(block.value).split()) for block in prompt.blocks]
    ends = list(accumulate(sizes))
    return PromptLength(ends, ends[-1])


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value["description"] if "input_schema" in value else value["text"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Scripted([words(ANSWER, "answer")]), clock=Clock(NOON), measure=in_words) as running:
        yield running


def prompt(**more: Any) -> scrimp.Layers:
    tools = [
        {"name": name, "description": words(TOOLS // 2, name), "input_schema": {"type": "object"}}
        for name in ("search", "ask")
    ]
    parts: dict[str, Any] = {
        "tools": tools,
        "instructions": words(RULES, "rule"),
        "documents": [words(MANUAL - 500, "manual"), words(500, "prices")],
        "examples": words(SAMPLES, "sample"),
    }
    return scrimp.Layers(model=MODEL, **{**parts, **more})


def ask(client: anthropic.Anthropic, emulator: Emulator, request: dict[str, Any]) -> Billed:
    client.messages.create(model=MODEL, max_tokens=100, **request)
    emulator.clock.advance(5)
    return emulator.bill[-1]


def talk(client: anthropic.Anthropic, emulator: Emulator, layers: scrimp.Layers) -> list[list[Billed]]:
    """Every user asks, then every user asks again, …: the bills by turn."""
    histories: list[list[dict[str, Any]]] = [[] for _ in range(USERS)]
    bills: list[list[Billed]] = []
    for turn in range(TURNS):
        bills.append([])
        for number, history in enumerate(histories):
            history.append({"role": "user", "content": words(QUESTION, f"q{number}-{turn}")})
            about = words(USER, f"user{number}")
            bills[-1].append(ask(client, emulator, layers.request(history, user=about)))
            history.append({"role": "assistant", "content": words(ANSWER, "answer")})
    return bills


def client_of(emulator: Emulator, *middleware: anthropic.Middleware) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=emulator.url, api_key="sk-test", middleware=middleware)


def test_what_is_shared_is_written_once_and_read_by_all_others(emulator: Emulator) -> None:
    with client_of(emulator) as client:
        bills = talk(client, emulator, prompt())
    for turn, of_turn in enumerate(bills):
        for number, bill in enumerate(of_turn):
            usage = bill.usage
            if turn == 0:
                read = 0 if number == 0 else SHARED
                written = USER + QUESTION + (SHARED if number == 0 else 0)
            else:
                read = SHARED + USER + QUESTION + (turn - 1) * (ANSWER + QUESTION)
                written = ANSWER + QUESTION
            assert (usage.cache_read_input_tokens, usage.write_5m, usage.input_tokens) == (read, written, 0)


def test_under_the_middleware_every_call_reads_at_least_as_much(emulator: Emulator) -> None:
    with client_of(emulator) as client:
        alone = [bill.usage for turn in talk(client, emulator, prompt()) for bill in turn]
    with (
        Emulator(Scripted([words(ANSWER, "answer")]), clock=Clock(NOON), measure=in_words) as other,
        client_of(other, scrimp.Middleware(ledger=MemoryLedger(), clock=other.clock.now)) as client,
    ):
        together = [bill.usage for turn in talk(client, other, prompt()) for bill in turn]
    for before, after in zip(alone, together, strict=True):
        assert after.cache_read_input_tokens >= before.cache_read_input_tokens
        assert after.total_input == before.total_input


@pytest.mark.parametrize(
    ("edited", "still_read"),
    [
        ({}, SHARED),
        ({"examples": words(SAMPLES, "other")}, TOOLS + RULES + MANUAL),
        ({"documents": words(MANUAL, "other")}, TOOLS + RULES),
    ],
)
def test_editing_a_layer_leaves_the_slower_ones_read(
    emulator: Emulator, edited: dict[str, Any], still_read: int
) -> None:
    question = [{"role": "user", "content": words(QUESTION)}]
    other = [{"role": "user", "content": words(QUESTION, "other")}]
    with client_of(emulator) as client:
        ask(client, emulator, prompt().request(question))
        usage = ask(client, emulator, prompt(**edited).request(other)).usage
    assert usage.cache_read_input_tokens == still_read
    assert usage.write_5m == SHARED + QUESTION - still_read


def test_a_users_next_conversation_reads_the_users_text(emulator: Emulator) -> None:
    about = words(USER, "user")
    with client_of(emulator) as client:
        ask(client, emulator, prompt().request([{"role": "user", "content": "one"}], user=about))
        again = ask(client, emulator, prompt().request([{"role": "user", "content": "two"}], user=about))
        changed = ask(
            client, emulator, prompt().request([{"role": "user", "content": "x"}], user=words(USER))
        )
    assert again.usage.cache_read_input_tokens == SHARED + USER
    assert changed.usage.cache_read_input_tokens == SHARED


def test_text_for_one_turn_costs_only_itself(emulator: Emulator) -> None:
    history: list[dict[str, Any]] = [{"role": "user", "content": words(QUESTION)}]
    with client_of(emulator) as client:
        first = ask(client, emulator, prompt().request(history, turn="it is noon"))
        history += [
            {"role": "assistant", "content": words(ANSWER)},
            {"role": "user", "content": words(QUESTION)},
        ]
        second = ask(client, emulator, prompt().request(history, turn="it is one"))
    assert first.usage.input_tokens == second.usage.input_tokens == 3
    assert second.usage.cache_read_input_tokens == SHARED + QUESTION


def test_users_who_come_back_late_are_read_for_an_hour(emulator: Emulator) -> None:
    late = prompt(gap=900, user_gap=1200)
    with client_of(emulator) as client:
        first = ask(client, emulator, late.request([{"role": "user", "content": "one"}], user="Ada"))
        emulator.clock.advance(1200)
        second = ask(client, emulator, late.request([{"role": "user", "content": "two"}], user="Bob"))
    assert (first.usage.write_1h, first.usage.write_5m) == (SHARED + 2, 0)
    assert second.usage.cache_read_input_tokens == SHARED
