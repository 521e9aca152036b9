"""What the loop guard takes for a loop, what it does not, and what becomes of either."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.loops import alarms
from benchmarks.recorded_conversations import conversations
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.levers import Answered, Change, Step
from scrimp.core.loop_guard import WRAP_UP, LoopGuard
from scrimp.core.loop_guard_limits import DEFAULT
from scrimp.core.record import Tags
from scrimp.errors import InputError, LoopStopped
from scrimp.facts.models import default
from scrimp.wire.response import Usage

MODEL = default().resolve("claude-haiku-4-5")
Turn = tuple[list[tuple[str, Any]], list[str]]


def step(messages: list[Any], *, label: str | None = None, **more: Any) -> Step:
    return Step(
        {"model": MODEL.id, "messages": messages, **more}, MODEL, Tags(agent=label), 0.0, lambda _: None
    )


def turn(number: int, calls: list[tuple[str, Any]], results: list[Any], *, failed: bool = False) -> list[Any]:
    """An answer with tool calls, and their results."""
    ids = [f"toolu_{number}_{at}" for at in range(len(calls))]
    uses = [
        {"type": "tool_use", "id": id_, "name": name, "input": given}
        for id_, (name, given) in zip(ids, calls, strict=True)
    ]
    answered = [
        {
            "type": "tool_result",
            "tool_use_id": id_,
            "content": result,
            **({"is_error": True} if failed else {}),
        }
        for id_, result in zip(ids, results, strict=True)
    ]
    return [{"role": "assistant", "content": uses}, {"role": "user", "content": answered}]


def work(turns: list[tuple[list[tuple[str, Any]], list[Any]]], *, failed: bool = False) -> list[Any]:
    messages: list[Any] = [{"role": "user", "content": "Mend the test."}]
    for number, (calls, results) in enumerate(turns):
        messages += turn(number, calls, results, failed=failed)
    return messages


READ: tuple[list[tuple[str, Any]], list[Any]] = ([("read", {"path": "a.py"})], ["text"])
TEST: tuple[list[tuple[str, Any]], list[Any]] = ([("test", {})], ["1 failed"])


def stopped(change: Change | None) -> LoopStopped:
    assert change is not None
    assert isinstance(change.error, LoopStopped)
    return change.error


def other(number: int) -> tuple[list[tuple[str, Any]], list[Any]]:
    return [("read", {"path": f"{number}.py"})], [f"text {number}"]


def test_the_same_call_with_the_same_result_is_stopped_at_the_fourth() -> None:
    guard = LoopGuard()
    before = [other(1), other(2)]
    assert guard.change(step(work([*before, READ, READ, READ]))) is None
    error = stopped(guard.change(step(work([*before, READ, READ, READ, READ]))))
    assert (error.reason, error.count, error.steps) == ("repeated call", 4, 6)
    assert "the tool read called 4 times in a row with the same input and result" in str(error)


def test_the_spelling_of_the_input_and_the_callers_markers_make_no_difference() -> None:
    messages = work([READ])
    for number, asked in enumerate(({"a": 1, "b": [2]}, {"b": [2], "a": 1}) * 2):
        messages += turn(number + 9, [("find", asked)], ["found"])
    messages[-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
    messages[-1]["content"][0]["content"] = [
        {"type": "text", "text": "found", "cache_control": {"type": "ephemeral"}}
    ]
    assert stopped(LoopGuard().change(step(messages))).reason == "repeated call"


@pytest.mark.parametrize(
    "turns",
    [
        [([("read", {"path": "a"})], [f"result {n}"]) for n in range(9)],  # results change: progress
        [([("read", {"path": "a", "offset": n})], ["same"]) for n in range(9)],  # inputs change
        [([("BashOutput", {"id": "b1"})], ["running"])] * 9,  # a tool that is polled
        [([("get_job_STATUS", {"id": "b1"})], ["running"])] * 9,
        [([("bash", {"command": "sleep 30; kubectl get pods"})], ["0/1"])] * 9,  # it waits
        [([("read", {"path": "a"}), ("test", {})], ["x", f"result {n}"]) for n in range(9)],  # one of two
        [READ, READ, READ, TEST] * 2,
    ],
)
def test_what_looks_like_a_loop_and_is_none(turns: Any) -> None:
    assert LoopGuard(cycles=9).change(step(work(turns))) is None


def test_tools_named_as_polling_may_be_asked_again_and_again() -> None:
    turns = [([("queue_length", {})], ["3"])] * 6
    assert stopped(LoopGuard().change(step(work(turns)))).reason == "repeated call"
    assert LoopGuard(polling=["queue_*"]).change(step(work(turns))) is None


@pytest.mark.parametrize("period", [2, 3, 4])
def test_a_cycle_is_stopped_at_its_third_round(period: int) -> None:
    cycle = [other(number) for number in range(period)]
    guard = LoopGuard()
    assert guard.change(step(work([READ, *cycle * 3][:-1]))) is None
    error = stopped(guard.change(step(work([READ, *cycle * 3]))))
    assert (error.reason, error.count) == ("cycle", 3)


def test_the_same_error_from_different_calls_is_stopped_at_the_fifth() -> None:
    turns = [([("bash", {"command": f"awk {n}"})], ["awk: syntax error"]) for n in range(5)]
    assert LoopGuard().change(step(work(turns[:4], failed=True))) is None
    assert stopped(LoopGuard().change(step(work(turns, failed=True)))).reason == "same error"
    assert LoopGuard().change(step(work(turns))) is None


def test_the_same_answer_to_the_same_words_is_a_loop() -> None:
    exchange = [said("user", "Go on."), {"role": "assistant", "content": [text("I cannot.")]}]
    messages: list[Any] = [*exchange * 4, said("user", "Go on.")]
    assert stopped(LoopGuard().change(step(messages))).reason == "repeated answer"
    messages[2] = said("user", "Please.")
    assert LoopGuard().change(step(messages[2:])) is None


def test_a_word_from_outside_ends_a_loop() -> None:
    guard, messages = LoopGuard(), work([READ] * 4)
    assert guard.change(step(messages))
    for words in (
        [*messages[:-1], {"role": "user", "content": [*messages[-1]["content"], text("Try b.py.")]}],
        [*messages, {"role": "user", "content": "Try b.py."}],
    ):
        assert guard.change(step(words)) is None
    reminded = [text("<system-reminder>Be brief.</system-reminder>")]
    messages[-1] = {"role": "user", "content": [*messages[-1]["content"], *reminded]}
    assert stopped(guard.change(step(messages)))


def said(role: str, words: str) -> dict[str, str]:
    return {"role": role, "content": words}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def test_too_many_answers_without_a_word_from_outside_are_stopped() -> None:
    turns = [other(number) for number in range(DEFAULT)]
    assert LoopGuard().change(step(work(turns[:-1]))) is None
    error = stopped(LoopGuard().change(step(work(turns))))
    assert (error.reason, error.steps) == ("too many steps", DEFAULT)
    assert stopped(LoopGuard(max_steps=3).change(step(work(turns[:3])))).count == 3
    again = [
        *work(turns[:3]),
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "More."},
    ]
    assert LoopGuard(max_steps=3).change(step(again)) is None


def ended(guard: LoopGuard, label: str, answers: int, times: int) -> None:
    messages = work([other(number) for number in range(answers - 1)])
    for _ in range(times):
        guard.answered(step(messages, label=label), Answered(Usage(), "end_turn", complete=True, at=0.0))


def test_the_limit_of_steps_is_learned_for_each_label() -> None:
    guard = LoopGuard()
    ended(guard, "short", 4, 49)
    fifty, thirty = (work([other(number) for number in range(count)]) for count in (50, 30))
    assert guard.change(step(fifty, label="short")) is None
    ended(guard, "short", 4, 1)
    assert stopped(guard.change(step(thirty, label="short"))).reason == "too many steps"
    assert guard.change(step(thirty[:-2], label="short")) is None
    assert guard.change(step(fifty, label="other")) is None
    assert guard.change(step(fifty)) is None
    ended(guard, "long", 90, 60)
    assert guard.change(step(work([other(number) for number in range(269)]), label="long")) is None
    assert guard.change(step(work([other(number) for number in range(270)]), label="long"))


def test_answers_that_go_on_or_broke_off_teach_nothing() -> None:
    guard, messages = LoopGuard(), work([READ])
    for answered in (
        Answered(Usage(), "tool_use", complete=True, at=0.0),
        Answered(Usage(), "max_tokens", complete=True, at=0.0),
        Answered(Usage(), "end_turn", complete=False, at=0.0),
    ):
        guard.answered(step(messages, label="a"), answered)
    assert guard.learned() == {}


def test_the_next_process_knows_what_this_one_learned() -> None:
    guard, next_one = LoopGuard(), LoopGuard()
    ended(guard, "short", 4, 50)
    next_one.recall({**guard.learned(), "broken": b"\xc1", "odd": b"\x91\xa1x"})
    forty = work([other(number) for number in range(40)])
    assert stopped(next_one.change(step(forty, label="short")))
    assert next_one.change(step(forty, label="broken")) is None


def test_warned_of_a_loop_the_call_goes_out_as_it_is() -> None:
    body = step(work([READ] * 4), label="nightly")
    change = LoopGuard(on_loop="warn").change(body)
    assert change is not None
    assert change.error is None
    assert change.body is body.body
    assert change.warnings == ("nightly seems to go round in circles (repeated call)",)
    assert LoopGuard().mode == LoopGuard(on_loop="warn").mode == "safe"


def test_a_last_turn_asks_for_an_answer_and_the_call_after_it_is_stopped() -> None:
    guard, messages = LoopGuard(on_loop="wrap_up"), work([READ] * 4)
    assert guard.mode == "save"
    whole = json.dumps(messages)
    change = guard.change(step(messages))
    assert change is not None
    assert change.error is None
    asked = change.body["messages"]
    assert asked[:-1] == messages[:-1]
    assert asked[-1]["content"] == [*messages[-1]["content"], text(WRAP_UP)]
    assert json.dumps(messages) == whole
    retried = guard.change(step(messages))
    assert retried is not None
    assert retried.body["messages"] == asked
    error = stopped(guard.change(step([*messages, *turn(9, *READ)])))
    assert "after its last turn" in str(error)


def test_what_was_said_in_a_last_turn_stays_while_the_conversation_grows() -> None:
    guard, messages = LoopGuard(on_loop="wrap_up"), work([READ] * 4)
    change = guard.change(step(messages))
    assert change is not None
    asked = change.body["messages"]
    messages = [
        *messages,
        {"role": "assistant", "content": "Not done."},
        {"role": "user", "content": "Go on."},
    ]
    grown = guard.change(step(messages))
    assert grown is not None
    assert grown.error is None
    assert grown.body["messages"] == [*asked, *messages[-2:]]
    for number in range(4):
        messages = [*messages, *turn(20 + number, *TEST)]
        grown = guard.change(step(messages))
        assert grown is not None
        assert grown.error is None
        assert grown.body["messages"][: len(asked)] == asked
    assert grown is not None
    assert grown.body["messages"][-1]["content"][-1] == text(WRAP_UP)
    assert stopped(guard.change(step([*messages, *turn(30, *TEST)])))


def test_a_forced_tool_is_not_forced_in_a_last_turn() -> None:
    guard = LoopGuard(on_loop="wrap_up")
    tools = [{"name": "read", "input_schema": {"type": "object"}}]
    change = guard.change(step(work([READ] * 4), tools=tools, tool_choice={"type": "any"}))
    assert change is not None
    assert change.body["tool_choice"] == {"type": "none"}


def test_a_last_turn_that_was_refused_is_none() -> None:
    guard, messages = LoopGuard(on_loop="wrap_up"), work([READ] * 4)
    assert guard.change(step(messages))
    guard.refused(step(messages))
    change = guard.change(step([*messages, *turn(9, *READ)]))
    assert change is not None
    assert change.error is None


def test_the_error_says_all_and_crosses_processes() -> None:
    one = stopped(LoopGuard().change(step(work([READ] * 4))))
    other_step = stopped(LoopGuard().change(step(work([READ] * 6))))
    assert one.conversation == other_step.conversation
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own
    assert (str(again), again.reason, again.count, again.steps) == (str(one), "repeated call", 4, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LoopGuard(repeats=1),
        lambda: LoopGuard(cycles=0),
        lambda: LoopGuard(errors=1),
        lambda: LoopGuard(max_steps=0),
        lambda: LoopGuard(on_loop="stop"),  # type: ignore[arg-type]  # what is refused
        lambda: LoopGuard(wrap_up=" "),
    ],
)
def test_settings_that_would_stop_everybody_are_refused(wrong: Callable[[], Any]) -> None:
    with pytest.raises(InputError, match="LoopGuard"):
        wrong()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.lists(
    JSON
    | st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": JSON})
    | st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant"]),
            "content": st.lists(
                st.fixed_dictionaries(
                    {"type": st.sampled_from(["tool_use", "tool_result", "text"])},
                    optional={"id": JSON, "tool_use_id": JSON, "name": JSON, "input": JSON, "text": JSON},
                ),
                max_size=3,
            ),
        }
    ),
    max_size=8,
)


@given(MESSAGES, st.sampled_from(["raise", "wrap_up", "warn"]))
def test_no_shape_of_a_request_makes_it_fail(messages: Any, on_loop: Any) -> None:
    guard = LoopGuard(on_loop=on_loop, repeats=2, cycles=2, errors=2, max_steps=2)
    for end in range(len(messages) + 1):
        change = guard.change(step(messages[:end]))
        guard.answered(step(messages[:end], label="a"), Answered(Usage(), "end_turn", complete=True, at=0.0))
        assert change is None or change.error or len(change.body["messages"]) == end


def test_no_recorded_agent_at_work_is_stopped_and_real_loops_are(traces: Path) -> None:
    seen: Counter[str] = Counter()
    found = alarms(conversations(traces, "exchanges", "trajectories"), seen)
    assert [alarm.conversation.name for alarm in found if not alarm.real] == []
    assert len(found) == 2
    assert all(alarm.stopped.reason == "repeated call" for alarm in found)
    assert sum(count for source, count in seen.items() if source.endswith("answers")) > 5_000
