"""The learned future: odds start at the prior and move with what is seen."""

from __future__ import annotations

import pytest

from scrimp.core.horizon import BARE, CONTINUES, SHARES, Horizon
from scrimp.core.prompt import Prompt, Reading, read_prompt

READING = Reading(key="model")


def prompt(*texts: str, system: str = "agent") -> Prompt:
    content = [{"type": "text", "text": text} for text in texts]
    return read_prompt({"system": system, "messages": [{"role": "user", "content": content}]}, READING)


def test_before_anything_is_seen_the_prior_holds() -> None:
    horizon = Horizon()
    assert horizon.continues(prompt("a")).within_5m == pytest.approx(CONTINUES.within_5m)
    assert horizon.continues(prompt("a", system="")).within_5m == pytest.approx(BARE.within_5m)
    assert horizon.shares(prompt("a")).within_5m == pytest.approx(SHARES.within_5m)


def test_conversations_that_go_on_raise_the_odds_and_one_shot_calls_lower_them() -> None:
    agents, one_shots = Horizon(), Horizon()
    texts: list[str] = []
    for step in range(50):
        texts.append(str(step))
        agents.observe(prompt(*texts), step * 10.0)
        one_shots.observe(prompt(f"question {step}"), step * 10.0)
    assert agents.continues(prompt(*texts)).within_5m > 0.95
    assert one_shots.continues(prompt("question 50")).within_5m < 0.2


def test_slow_conversations_are_told_from_quick_ones() -> None:
    horizon = Horizon()
    texts: list[str] = []
    for step in range(50):
        texts.append(str(step))
        horizon.observe(prompt(*texts), step * 1200.0)
    odds = horizon.continues(prompt(*texts))
    assert odds.within_5m < 0.15
    assert odds.within_1h > 0.8


def test_each_kind_of_agent_has_odds_of_its_own() -> None:
    horizon = Horizon()
    texts: list[str] = []
    for step in range(60):
        texts.append(str(step))
        horizon.observe(prompt(*texts, system="agent"), step * 10.0)
        horizon.observe(prompt(f"question {step}", system="classifier"), step * 10.0 + 5)
    assert horizon.continues(prompt(*texts, system="agent")).within_5m > 0.9
    assert horizon.continues(prompt("x", system="classifier")).within_5m < 0.2


def test_a_late_answer_still_counts_as_an_answer() -> None:
    # Overdue after 30 seconds by the gaps seen so far, answered after four minutes.
    horizon = Horizon()
    texts: list[str] = []
    now = 0.0
    for step in range(20):
        texts.append(str(step))
        horizon.observe(prompt(*texts), now)
        now += 1.0
    before = horizon.continues(prompt(*texts)).within_5m
    horizon.observe(prompt("someone else"), now + 200)
    assert horizon.continues(prompt(*texts)).within_5m < before
    horizon.observe(prompt(*texts, "answer"), now + 240)
    assert horizon.continues(prompt(*texts)).within_5m > before - 0.02


def test_a_start_shared_by_many_conversations_is_noticed() -> None:
    horizon = Horizon()
    for number in range(40):
        horizon.observe(prompt(f"task {number}"), number * 60.0)
    assert horizon.shares(prompt("next task")).within_5m > 0.85


def test_a_tail_that_is_dropped_each_turn_is_not_expected_to_stay() -> None:
    # The agent puts a reminder last and takes it away again: only the block before it comes back.
    horizon = Horizon()
    texts: list[str] = ["task"]
    for step in range(6):
        horizon.observe(prompt(*texts, f"reminder {step}"), step * 10.0)
        texts.append(f"step {step}")
    latest = prompt(*texts, "reminder 6")
    horizon.observe(latest, 60.0)
    assert horizon.stable_end(latest) == len(latest) - 2
    assert horizon.continues(latest).within_5m > 0.9


def test_questions_about_one_document_share_the_document() -> None:
    horizon = Horizon()
    for number in range(6):
        horizon.observe(prompt("document", f"question {number}"), number * 10.0)
    next_question = prompt("document", "another question")
    horizon.observe(next_question, 60.0)
    assert horizon.stable_end(next_question) == len(next_question) - 2
    assert horizon.continues(next_question).within_5m > 0.8


def test_starting_the_same_task_again_drops_nothing() -> None:
    horizon = Horizon()
    for run in range(3):
        for step in range(4):
            horizon.observe(prompt("task", *(f"{run}.{n}" for n in range(step))), run * 100.0 + step)
    assert horizon.stable_end(prompt("task", "0.0")) == len(prompt("task", "0.0")) - 1
