"""What the loop guard takes for a loop, what it does not, and what becomes of either."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
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
from scrimp.facts.models import resolve
from scrimp.wire.response import Usage

Turn = tuple[list[tuple[str, Any]], list[str]]


def step(
    messages: list[Any], *, label: str | None = None, model: str = "claude-haiku-4-5", **more: Any
) -> Step:
    body = {"model": model, "messages": messages, **more}
    return Step(body, resolve(model), Tags(agent=label), 0.0, lambda _: None)


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


def test_the_same_answer_to_the_same_words_is_a_loop_at_the_twelfth() -> None:
    exchange = [said("user", "Go on."), {"role": "assistant", "content": [text("I cannot.")]}]
    messages: list[Any] = [*exchange * 12, said("user", "Go on.")]
    assert stopped(LoopGuard().change(step(messages))).reason == "repeated answer"
    assert LoopGuard().change(step(messages[2:])) is None
    messages[2] = said("user", "Please.")
    assert LoopGuard().change(step(messages[2:])) is None


@pytest.mark.parametrize("result", ["ok", "", "Done!", '{"status": "success"}', "Added."])
def test_what_does_something_and_says_ok_may_be_called_three_times_as_often(result: str) -> None:
    turns = [([("computer", {"action": "key", "text": "Page_Down"})], [result])]
    assert LoopGuard().change(step(work(turns * 11))) is None
    assert stopped(LoopGuard().change(step(work(turns * 12)))).count == 12
    pair = [*turns, ([("computer", {"action": "key", "text": "Return"})], [result])]
    assert LoopGuard().change(step(work(pair * 8))) is None
    assert stopped(LoopGuard().change(step(work(pair * 9)))).reason == "cycle"


@pytest.mark.parametrize("result", ["нет такого файла", "1", "ok, but nothing was found", "[3]"])
def test_a_result_that_says_something_is_a_loop_at_the_fourth(result: str) -> None:
    assert stopped(LoopGuard().change(step(work([([("read", {})], [result])] * 4)))).count == 4


@pytest.mark.parametrize(
    "result",
    ["pending", "web-0  0/1  Pending  0  3s", '{"state": "in_progress"}', "build 7 is still running"],
)
def test_what_takes_time_may_be_asked_until_it_is_over(result: str) -> None:
    turns = [([("get_job", {"id": 7})], [result])] * 30
    assert LoopGuard().change(step(work(turns))) is None


@pytest.mark.parametrize("result", ["Running tests … 1 failed", "error: nothing is running", "running " * 90])
def test_a_failure_that_speaks_of_running_is_a_loop(result: str) -> None:
    assert stopped(LoopGuard().change(step(work([([("check", {})], [result])] * 4))))


def test_calls_that_a_person_denies_are_no_loop() -> None:
    calls = [[("bash", {"command": f"c{n}"})] for n in range(6)]
    for words in ("The user doesn't want to proceed with this tool use.", "Rejected by user"):
        turns = [(call, [words]) for call in calls]
        assert LoopGuard().change(step(work(turns, failed=True))) is None
    turns = [(call, ["Permission denied"]) for call in calls]
    assert stopped(LoopGuard().change(step(work(turns, failed=True)))).reason == "same error"


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


def many(answers: int, first: int = 0) -> list[Any]:
    return work([other(number) for number in range(first, first + answers)])


def test_the_limit_of_steps_is_learned_for_each_label() -> None:
    guard = LoopGuard()
    ended(guard, "long", 90, 49)
    assert stopped(guard.change(step(many(DEFAULT), label="long"))).reason == "too many steps"  # the fiftieth
    assert guard.change(step(many(269), label="long")) is None
    assert stopped(guard.change(step(many(270), label="long"))).reason == "too many steps"
    for label in ("other", None):
        assert stopped(guard.change(step(many(DEFAULT), label=label)))


def test_short_tasks_say_nothing_of_the_first_long_one() -> None:
    guard = LoopGuard()
    ended(guard, "short", 1, 400)
    assert guard.change(step(many(DEFAULT - 1), label="short")) is None
    assert stopped(guard.change(step(many(DEFAULT), label="short")))


def test_tasks_that_were_stopped_for_their_length_count_as_seen() -> None:
    guard = LoopGuard()
    ended(guard, "a", 10, 66)
    for _ in range(9):  # the same request, tried again and again
        assert stopped(guard.change(step(many(DEFAULT), label="a")))
    assert msgspec.msgpack.decode(guard.learned()["a"]) == [10] * 66 + [DEFAULT]
    for count in range(1, 9):  # that it goes on where it is warned alone makes it no other task
        assert stopped(guard.change(step(many(DEFAULT + count), label="a")))
    for first in (1, 2):
        assert stopped(guard.change(step(many(DEFAULT, first), label="a")))
    assert (
        guard.change(step(many(DEFAULT), label="a")) is None
    )  # three of 69 are more than three in a hundred


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
    ended(guard, "long", 90, 50)
    next_one.recall({**guard.learned(), "broken": b"\xc1", "odd": b"\x91\xa1x"})
    assert next_one.change(step(many(250), label="long")) is None
    assert stopped(next_one.change(step(many(250), label="broken")))


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


@pytest.mark.parametrize("calls", [READ, TEST, other(1)])
def test_any_call_after_a_last_turn_is_stopped(calls: Any) -> None:
    guard, messages = LoopGuard(on_loop="wrap_up"), work([READ] * 4)
    assert guard.change(step(messages))
    error = stopped(guard.change(step([*messages, *turn(9, *calls)])))
    assert "after its last turn" in str(error)
    assert error.reason == "repeated call"
    reminded = [*messages, *turn(9, *calls)]
    reminded[-1]["content"].append(text("<system-reminder>Be brief.</system-reminder>"))
    assert stopped(guard.change(step(reminded)))
    asked = [*messages, *turn(9, *calls)]
    asked[-1]["content"].append(text("Look at b.py."))
    change = guard.change(step(asked))
    assert change is not None
    assert change.error is None


def test_where_a_system_message_is_last_the_words_stand_before_it() -> None:
    guard, system = LoopGuard(on_loop="wrap_up"), {"role": "system", "content": "Be brief."}
    messages = [*work([READ] * 4), system]
    for _ in range(2):
        change = guard.change(step(messages))
        assert change is not None
        assert change.body["messages"][-1] is system
        assert change.body["messages"][-2]["content"][-1] == text(WRAP_UP)
    assert stopped(guard.change(step([*messages, *turn(9, *TEST), system])))


def test_a_loop_that_ends_with_words_of_the_model_is_stopped() -> None:
    messages = [*work([other(number) for number in range(3)]), {"role": "assistant", "content": "So"}]
    assert stopped(LoopGuard(on_loop="wrap_up", max_steps=3).change(step(messages)))


@pytest.mark.parametrize("model", ["claude-fable-5-2", "claude-opus-5-5"])
def test_where_thinking_is_bound_no_words_are_put_into_the_conversation(model: str) -> None:
    guard, messages = LoopGuard(on_loop="wrap_up"), work([READ] * 4)
    tools = [{"name": "read", "input_schema": {"type": "object"}}]
    for _ in range(2):
        change = guard.change(step(messages, model=model, tools=tools))
        assert change is not None
        assert change.body["messages"] == messages
        assert change.body["tool_choice"] == {"type": "none"}
    later = [*messages, said("assistant", "Not done."), said("user", "Go on.")]
    assert guard.change(step(later, model=model, tools=tools)) is None
    assert stopped(guard.change(step([*messages, *turn(9, *TEST)], model=model, tools=tools)))
    assert stopped(LoopGuard(on_loop="wrap_up").change(step(messages, model=model)))


def test_a_last_turn_sent_again_is_the_same_request() -> None:
    guard, messages = LoopGuard(on_loop="wrap_up"), work([READ] * 4)
    tools = [{"name": "read", "input_schema": {"type": "object"}}]
    asked = [guard.change(step(messages, tools=tools, tool_choice={"type": "any"})) for _ in range(3)]
    bodies = [one.body for one in asked if one is not None]
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["tool_choice"] == {"type": "none"}


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
