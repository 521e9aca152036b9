"""Relocation through the real SDK: a changing time in the system prompt, and what it costs either way."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.emulator import Clock, Emulator, Scripted
from scrimp.errors import InputError, ScrimpWarning
from scrimp.facts.models import load
from scrimp.stores.memory import MemoryLedger

# What relocation is for is alerted as well: a prefix that was missed, and why.
pytestmark = pytest.mark.filterwarnings(r"ignore:scrimp. .* from the cache:scrimp.errors.ScrimpWarning")

MODEL = "claude-opus-4-8"
NOON = 1_795_000_000.0
RULES = "".join(f"Rule {n}: keep to what the manual says about case {n}.\n" for n in range(300))
TALKS, STEPS = 6, 5
NO_SYSTEM_MESSAGES = {
    "models": [{"id": MODEL, "features": {"mid_conversation_system": False}}],
}


def system(emulator: Emulator, user: int) -> str:
    return f"You are an agent.\nThe time is {clock_of(emulator)}.\n{RULES}Serve user {user}.\n"


def clock_of(emulator: Emulator) -> str:
    seconds = int(emulator.clock.now())
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def run_of(emulator: Emulator, middleware: scrimp.Middleware, pause: float = 20, model: str = MODEL) -> int:
    """Conversations of several users, one after the other; what all of them cost."""
    with anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as client:
        for talk in range(TALKS):
            history: list[dict[str, Any]] = []
            for step in range(STEPS):
                history.append({"role": "user", "content": f"{talk}.{step} " + "question " * 150})
                with scrimp.run("support", user=f"u{talk}"):
                    client.messages.create(
                        model=model, max_tokens=100, system=system(emulator, talk), messages=list(history)
                    )
                history.append({"role": "assistant", "content": "answer " * 150})
                emulator.clock.advance(pause)
    return emulator.total


def middleware_of(emulator: Emulator, **options: Any) -> scrimp.Middleware:
    return scrimp.Middleware(ledger=MemoryLedger(), clock=emulator.clock.now, **options)


def emulator_of(**options: Any) -> Emulator:
    return Emulator(Scripted(["answer " * 150]), clock=Clock(NOON), **options)


@pytest.mark.parametrize(
    ("model", "share", "pause"),
    [(MODEL, 0.5, 20), (MODEL, 0.5, 400), ("claude-sonnet-5", 0.75, 20), ("claude-fable-5-2", 0.6, 20)],
)
def test_relocation_reads_what_a_changing_time_would_have_lost(
    model: str, share: float, pause: float
) -> None:
    with emulator_of() as plain, emulator_of() as moved:
        without = run_of(plain, middleware_of(plain), pause, model)
        cost = run_of(moved, middleware_of(moved, levers=[scrimp.Relocate()]), pause, model)
        assert cost <= without * share
        for body in (one.body for one in plain.requests):
            assert [message["role"] for message in body["messages"]].count("system") == 0


def test_a_conversation_is_sent_again_as_it_was() -> None:
    with emulator_of() as emulator:
        run_of(emulator, middleware_of(emulator, levers=[scrimp.Relocate()]))
        sent = [unmarked(one.body) for one in emulator.requests]
    last_talk = sent[-STEPS:]
    for before, after in pairwise(last_talk):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert after["system"] == before["system"]
    texts = [one["content"][0]["text"] for one in last_talk[-1]["messages"] if one["role"] == "system"]
    assert len(texts) == STEPS
    assert texts[0].splitlines()[1] == f"Serve user {TALKS - 1}."
    assert all(text.startswith("The time is ") for text in texts)


def unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: unmarked(item) for key, item in value.items() if key != "cache_control"}
    if isinstance(value, list):
        return [unmarked(item) for item in value]
    return value


def test_without_the_switch_nothing_is_moved() -> None:
    with emulator_of() as emulator:
        run_of(emulator, middleware_of(emulator, mode="save"))
        for one in emulator.requests:
            assert str(unmarked(one.body)["system"]).count("The time is") == 1
            assert {message["role"] for message in one.body["messages"]} <= {"user", "assistant"}


@pytest.mark.parametrize("mode", ["safe", "observe"])
def test_a_mode_that_changes_nothing_excludes_it(mode: Any) -> None:
    with pytest.raises(InputError, match=f"^relocate: .*mode='{mode}' never does"):
        scrimp.Middleware(mode=mode, levers=[scrimp.Relocate()])


def test_a_refused_move_is_sent_untouched_and_not_tried_again() -> None:
    with emulator_of(facts=load([NO_SYSTEM_MESSAGES])) as emulator:
        with pytest.warns(ScrimpWarning, match="the API refused the planned request"):
            run_of(emulator, middleware_of(emulator, levers=[scrimp.Relocate()]))
        assert len(emulator.bill) == TALKS * STEPS
        assert len(emulator.requests) == TALKS * STEPS + 1


def test_a_failure_of_ours_costs_one_warning_and_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("secret words of a prompt")

    monkeypatch.setattr("scrimp.core.passes.relocating.relocated", broken)
    with emulator_of() as emulator:
        with pytest.warns(ScrimpWarning, match="relocate changed nothing") as caught:
            run_of(emulator, middleware_of(emulator, levers=[scrimp.Relocate()]))
        assert "secret" not in str(caught[0].message)
        assert len(emulator.bill) == TALKS * STEPS
