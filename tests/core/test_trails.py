"""Which prompt a new one takes up: told from the prefixes alone."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core import trails
from scrimp.core.prompt import Prompt, Reading, read_prompt
from scrimp.core.trails import Join, Trails

READING = Reading(key="model")


def prompt(*turns: str | list[str], system: str = "agent", tools: int = 0) -> Prompt:
    """Turns of the user and the model alternate; a list is one turn of several blocks."""
    messages = []
    for number, turn in enumerate(turns):
        texts = [turn] if isinstance(turn, str) else turn
        content = [{"type": "text", "text": text} for text in texts]
        messages.append({"role": "assistant" if number % 2 else "user", "content": content})
    body: dict[str, Any] = {"system": system, "messages": messages}
    if tools:
        body["tools"] = [{"name": f"tool {n}", "input_schema": {}} for n in range(tools)]
    return read_prompt(body, READING)


def taken_up(earlier: Prompt, later: Prompt) -> Join | None:
    seen = Trails()
    assert seen.take_up(earlier, 1.0) is None
    return seen.take_up(later, 2.0)


def test_the_next_step_of_a_conversation() -> None:
    first = prompt("task")
    assert taken_up(first, prompt("task", "call", "result")) == Join(1, first.prefixes[-1], 0, True, 1.0)


def test_more_of_the_users_own_words_go_on_too() -> None:
    first = prompt(["task"])
    join = taken_up(first, prompt(["task", "one more thing"]))
    assert join is not None
    assert (join.position, join.dropped, join.goes_on) == (1, 0, True)


def test_a_reminder_that_is_dropped_again() -> None:
    # system, task, reminder | system, task, call, result, reminder
    first = prompt(["task", "reminder"])
    join = taken_up(first, prompt("task", "call", ["result", "reminder"]))
    assert join == Join(1, first.prefixes[-1], 1, True, 1.0)


def test_a_prompt_does_not_take_up_itself() -> None:
    # The provider's search tool is no part of the chain: the prefix that ends with it is the one before it.
    tools = [{"name": "read", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}]
    asked = read_prompt({"tools": tools, "messages": [{"role": "user", "content": "task"}]}, READING)
    assert asked.prefixes[0] == asked.prefixes[1]
    join = taken_up(asked, asked)
    assert join is not None
    assert (join.position, join.dropped, join.goes_on) == (2, 0, True)


def test_another_question_about_the_same_document_parts_from_the_first() -> None:
    join = taken_up(prompt(["document", "one question"]), prompt(["document", "another"]))
    assert join is not None
    assert (join.position, join.dropped, join.goes_on) == (1, 1, False)


def test_an_answer_taken_back_and_asked_anew_parts_there() -> None:
    # The user edits the second question: the first answer stays.
    join = taken_up(prompt("one", "answer", "two"), prompt("one", "answer", "two, in other words"))
    assert join is not None
    assert (join.position, join.dropped, join.goes_on) == (2, 1, False)


def test_another_answer_to_an_earlier_question_parts_there() -> None:
    # The model's reply was taken back with all that followed.
    join = taken_up(prompt("one", "answer", "two"), prompt("one", "other answer", "three"))
    assert join is not None
    assert (join.position, join.dropped, join.goes_on) == (1, 2, False)


def test_going_back_to_an_earlier_state_parts_there() -> None:
    join = taken_up(prompt("one", "answer", "two"), prompt("one"))
    assert join is not None
    assert (join.position, join.dropped, join.goes_on) == (1, 2, False)


def test_the_same_prompt_once_more_takes_up_itself() -> None:
    first = prompt("one")
    assert taken_up(first, prompt("one")) == Join(1, first.prefixes[-1], 0, True, 1.0)


def test_sharing_tools_and_system_alone_is_no_continuation() -> None:
    join = taken_up(prompt("one", tools=2), prompt("other", tools=2))
    assert join is not None
    assert (join.position, join.goes_on) == (2, False)


def test_sharing_tools_alone() -> None:
    join = taken_up(prompt("task", system="one", tools=3), prompt("task", system="other", tools=3))
    assert join is not None
    assert (join.position, join.goes_on) == (2, False)
    # Another tool in the middle leaves what stands before it.
    assert taken_up(prompt("task"), prompt("task", tools=1)) is None


def test_what_follows_the_static_start_alone_begins_there() -> None:
    join = taken_up(prompt(), prompt("task"))
    assert join is not None
    assert (join.position, join.goes_on) == (0, False)


def test_nothing_in_common() -> None:
    assert taken_up(prompt("task"), prompt("task", system="another")) is None


def test_the_owner_is_the_prompt_that_last_had_the_prefix() -> None:
    seen = Trails()
    seen.take_up(prompt("task"), 1.0)
    second = prompt("task", "call", "result")
    seen.take_up(second, 2.0)
    join = seen.take_up(prompt("task", "call", "result", "call", "more"), 3.0)
    assert join == Join(3, second.prefixes[-1], 0, True, 2.0)


def test_branches_are_where_conversations_were_seen_to_part() -> None:
    seen = Trails()
    seen.take_up(prompt(["document", "one"]), 1.0)
    assert seen.branches(prompt(["document", "two"]), 2) == []
    seen.take_up(prompt(["document", "two"]), 2.0)
    third = prompt(["document", "three"])
    assert seen.branches(third, 2) == [1]
    assert seen.branches(third, 0) == []
    assert seen.branches(prompt(["another document", "one"]), 2) == []


def test_going_on_is_no_branch() -> None:
    seen = Trails()
    seen.take_up(prompt("task"), 1.0)
    seen.take_up(prompt("task", "call", "result"), 2.0)
    assert seen.branches(prompt("task", "call", "result"), 3) == []


def test_the_next_step_drops_what_this_one_dropped_or_what_its_kind_usually_does() -> None:
    seen = Trails()
    assert seen.usually_dropped("kind", prompt("task")) == 0
    seen.take_up(prompt(["task", "reminder"]), 1.0)
    step = prompt("task", "call", ["result", "reminder"])
    join = seen.take_up(step, 2.0)
    assert join is not None
    seen.dropped("kind", step, join)
    assert seen.usually_dropped("kind", step) == 1
    assert seen.usually_dropped("kind", prompt("unheard of")) == 1
    assert seen.usually_dropped("another kind", prompt("unheard of")) == 0
    for n in range(2):
        end = Join(0, b"", 0, True, 1.0)
        seen.dropped("kind", prompt(f"unlike {n}"), end)
    assert seen.usually_dropped("kind", step) == 1
    assert seen.usually_dropped("kind", prompt("unheard of")) == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    # The limit is lowered: two hundred thousand positions take long to make.
    monkeypatch.setattr(trails, "_PREFIXES_REMEMBERED", 50)
    seen = Trails()
    for number in range(100):
        seen.take_up(prompt([f"task {number}", "go"], system=str(number)), float(number))
    assert 40 < len(seen._last) <= 50
    assert seen.take_up(prompt(["task 0", "go", "on"], system="0"), 100.0) is None
    assert seen.take_up(prompt(["task 99", "go", "on"], system="99"), 100.0) is not None
