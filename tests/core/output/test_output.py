"""`scrimp.Output` by itself: what it asks for, what it never touches, what it learns and keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.output import Output
from scrimp.core.output.shipped import SHIPPED
from scrimp.core.record import Tags
from scrimp.errors import InputError
from tests.core.output.steps import ASKED, answered, replies, sent, step_of

WRITE = {"name": "write", "input_schema": {"type": "object", "properties": {"content": {"type": "string"}}}}
LOOK = {"name": "look", "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}}}
SCHEMA = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
ADAPTIVE = {"type": "adaptive"}
CHAT = [*ASKED["messages"], {"role": "assistant", "content": "Far."}, {"role": "user", "content": "How far?"}]
BILLER = Tags(agent="biller")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 1_536),
        ({"messages": CHAT}, 1_536),
        ({"tools": [LOOK]}, 1_536),
        ({"tools": [LOOK, WRITE]}, 3_072),
        ({"tools": [{"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}]}, 3_072),
        ({"output_config": SCHEMA}, 1_024),
        ({"max_tokens": 300}, 300),
        ({"max_tokens": 1_536}, 1_536),
        ({"model": "claude-opus-4-8", "tools": [LOOK], "thinking": ADAPTIVE}, 2_048),
        ({"model": "claude-opus-4-8", "tools": [LOOK]}, 2_048),
        ({"model": "claude-opus-4-8", "tools": [LOOK], "thinking": {"type": "disabled"}}, 1_536),
        ({"model": "claude-opus-4-8", "thinking": ADAPTIVE, "output_config": {"effort": "max"}}, 4_096),
        ({"model": "claude-opus-4-8", "messages": CHAT, "thinking": ADAPTIVE, "max_tokens": 32_000}, 8_192),
    ],
)
def test_before_anything_is_learned_the_table_speaks(fields: dict[str, Any], expected: int) -> None:
    assert sent(Output(), {**ASKED, **fields})["max_tokens"] == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("classification", 192),
        ("Code_Edit", 3_072),
        ("summarisation", 1_536),
        ("agent-step", 1_536),
        ("extraction", 1_024),
        ("one_shot", 1_536),
        ("of our own", 1_536),
    ],
)
def test_common_names_of_task_types_have_a_figure(named: str, expected: int) -> None:
    assert sent(Output(), ASKED, Tags(task_type=named))["max_tokens"] == expected


def test_figures_of_ones_own_come_first() -> None:
    lever = Output(max_tokens={"biller": 700, "letters": 3_000})
    assert sent(lever, ASKED, BILLER)["max_tokens"] == 700
    assert sent(lever, ASKED, Tags(task_type="letters"))["max_tokens"] == 3_000
    assert sent(lever, ASKED)["max_tokens"] == 1_536


@pytest.mark.parametrize("tokens", [0, -5, "many", True, 2.5])
def test_figures_that_are_none_are_refused(tokens: Any) -> None:
    with pytest.raises(InputError, match="max_tokens of 'biller'"):
        Output(max_tokens={"biller": tokens})


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 0},
        {"max_tokens": None},
        {"max_tokens": "4096"},
        {"max_tokens": True},
        {"max_tokens": 100_000},  # more than the model can: the API is to say so
        {"compaction": {"type": "summarize"}},
        {"thread": {"type": "create"}},
    ],
)
def test_what_is_no_ordinary_limit_stays(fields: dict[str, Any]) -> None:
    assert Output().change(step_of({**ASKED, **fields})) is None


@pytest.mark.parametrize("own", [1_530, 1_536, 1_000])
def test_what_is_little_enough_stays(own: int) -> None:
    assert Output().change(step_of({**ASKED, "max_tokens": own})) is None


def test_nothing_else_of_the_request_changes_and_it_says_what_and_why() -> None:
    body = {**ASKED, "metadata": {"user_id": "u"}, "some_field": [1, {"a": None}], "stop_sequences": ["END"]}
    change = Output().change(step_of(body))
    assert change is not None
    assert change.body == {**body, "max_tokens": 1_536}
    assert not change.betas
    assert change.own_extra == 0
    [decision] = change.decisions
    assert (decision.action, decision.what) == ("output", "max_tokens 4,096 → 1,536")


@given(
    own=st.integers(1, 200_000),
    budget=st.none() | st.integers(1_024, 150_000),
    seen=st.lists(st.integers(0, 70_000), max_size=60),
)
def test_never_raised_and_thinking_always_has_room(own: int, budget: int | None, seen: list[int]) -> None:
    body = {**ASKED, "model": "claude-sonnet-4-5", "max_tokens": own}
    if budget is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    lever = Output()
    replies(lever, seen, body)
    given_now = sent(lever, body)["max_tokens"]
    assert 0 < given_now <= own
    if budget is not None and budget < own:
        assert budget < given_now


def test_room_for_a_summary_stays_where_the_api_may_write_one() -> None:
    edits = {"edits": [{"type": "compact_20260112"}]}
    body = {**ASKED, "max_tokens": 30_000, "context_management": edits}
    assert sent(Output(), body)["max_tokens"] == 4_096


def test_what_replies_need_is_learned_per_agent() -> None:
    lever = Output()
    replies(lever, [50] * 150, ASKED, BILLER)
    assert sent(lever, ASKED, BILLER)["max_tokens"] == 64
    assert sent(lever, ASKED, Tags(agent="writer"))["max_tokens"] == 1_536


@pytest.mark.parametrize(
    ("more", "least"),
    [
        ({}, 1_024),
        ({"stop_sequences": ["."]}, 64),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, 64),
        ({"tools": [LOOK], "tool_choice": {"type": "tool", "name": "look"}}, 64),
    ],
)
def test_short_replies_promise_short_ones_only_where_they_are_said_to_be_alike(
    more: dict[str, Any], least: int
) -> None:
    lever, body = Output(), {**ASKED, **more}
    replies(lever, [5] * 150, body, Tags())
    assert sent(lever, body, Tags())["max_tokens"] == least


def test_replies_of_one_agent_to_other_prompts_are_known_apart() -> None:
    """One in three hundred is long, always of the same prompt: it is cut once, not every time."""
    lever, letter = Output(), {**ASKED, "system": "Write a letter."}
    cut = 0
    for _ in range(6):
        replies(lever, [50] * 300, {**ASKED, "system": "Say yes or no."}, BILLER)
        cut += replies(lever, [1_800], letter, BILLER)
    assert cut <= 2
    assert sent(lever, {**ASKED, "system": "Say yes or no."}, BILLER)["max_tokens"] == 64


def test_a_cut_reply_raises_the_limit_at_once() -> None:
    lever = Output()
    replies(lever, [200] * 140, ASKED, BILLER)
    before = sent(lever, ASKED, BILLER)["max_tokens"]
    assert before < 256
    replies(lever, [3_000], ASKED, BILLER)
    assert sent(lever, ASKED, BILLER)["max_tokens"] >= 1.5 * before


def test_a_reply_that_the_callers_own_limit_cut_raises_it_as_well() -> None:
    lever, small = Output(), {**ASKED, "max_tokens": 1_000}
    replies(lever, [200] * 140, ASKED, BILLER)
    step = step_of(small, BILLER)
    lever.answered(step, answered(1_000, "max_tokens"))
    assert sent(lever, small, BILLER)["max_tokens"] == 1_000
    assert sent(lever, ASKED, BILLER)["max_tokens"] >= 1_500


@pytest.mark.parametrize(
    ("reason", "complete"),
    [("refusal", True), ("model_context_window_exceeded", True), ("end_turn", False), (None, False)],
)
def test_what_did_not_come_to_its_end_teaches_nothing(reason: str, complete: bool) -> None:
    lever = Output()
    for _ in range(200):
        lever.answered(step_of(ASKED, BILLER), answered(3, reason, complete=complete))
    assert sent(lever, ASKED, BILLER)["max_tokens"] == 1_536
    assert not lever.learned()


def test_thinking_and_effort_are_learned_apart() -> None:
    lever = Output()
    body = {**ASKED, "model": "claude-opus-4-8", "max_tokens": 20_000, "tools": [LOOK]}
    quiet = {**body, "thinking": {"type": "disabled"}}
    replies(lever, [60] * 200, quiet, BILLER)
    assert sent(lever, quiet, BILLER)["max_tokens"] == 64
    assert sent(lever, body, BILLER)["max_tokens"] == 2_048
    thorough = {**body, "output_config": {"effort": "max"}}
    replies(lever, [9_000] * 200, thorough, BILLER)
    assert sent(lever, thorough, BILLER)["max_tokens"] >= 9_000
    assert sent(lever, body, BILLER)["max_tokens"] == 2_048


def test_what_was_learned_goes_on_in_the_next_process() -> None:
    lever, later = Output(), Output()
    replies(lever, [200] * 150, ASKED, BILLER)
    replies(lever, [5] * 150, {**ASKED, "system": "secret words"})
    kept = lever.learned()
    assert len(kept) == 1
    assert b"secret" not in repr(kept).encode()
    later.recall(kept)
    assert sent(later, {**ASKED, "system": "another"}, BILLER)["max_tokens"] == 207
    assert sent(later, ASKED)["max_tokens"] == 1_536
    assert sum(len(key) + len(value) for key, value in kept.items()) < 600


def test_a_hundred_thousand_prompts_and_labels_stay_within_bounds() -> None:
    lever = Output()
    for number in range(6_000):
        step = step_of({**ASKED, "system": f"number {number}"}, Tags(agent=f"agent {number}"))
        lever.answered(step, answered(100))
    assert len(lever.learned()) <= 1_024


def test_max_tokens_are_left_alone_where_that_is_asked_for() -> None:
    assert Output(max_tokens=False).change(step_of(ASKED)) is None


def test_a_cut_reply_is_asked_for_again_only_where_that_is_wanted_and_helps() -> None:
    step, cut = step_of(ASKED), answered(1_536, "max_tokens")
    lowered = {**ASKED, "max_tokens": 1_536, "context_management": {"edits": []}}
    assert Output().again(step, cut, lowered) is None
    again = Output(retry_cut=True).again(step, cut, lowered)
    assert again is not None
    assert again.body == {**lowered, "max_tokens": 4_096}
    assert Output(retry_cut=True).again(step, answered(90), lowered) is None
    assert Output(retry_cut=True).again(step, answered(4_096, "max_tokens"), ASKED) is None


def test_the_table_has_every_task_type_that_is_inferred_and_needs_one() -> None:
    assert {"classification", "extraction", "document", "one-shot", "chat", "agent"} <= set(SHIPPED)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": "x"},
        {"tools": [None, {"name": 3, "input_schema": {"properties": []}}]},
        {"system": [None, {"text": 4}]},
        {"output_config": 4, "thinking": "on", "context_management": []},
        {"context_management": {"edits": {"a": 1}}},
        {"messages": None},
    ],
)
def test_odd_bodies_are_no_trouble(fields: dict[str, Any]) -> None:
    lever, body = Output(effort={"biller": "low"}), {**ASKED, **fields}
    assert sent(lever, body, BILLER)["max_tokens"] <= 4_096
    lever.answered(step_of(body, BILLER), answered(10))
