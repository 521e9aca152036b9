"""Edited and compacted requests are read as the model reads them; expected values are worked out here."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.carry.clearing import PLACEHOLDER
from scrimp.core.carry.cut import Cut, History, cut_there
from scrimp.core.carry.seen import seen
from scrimp.core.prompt import read_prompt
from scrimp.core.workspace import Workspace, reading
from scrimp.facts.models import default
from scrimp.wire.response import Iteration, Usage
from tests.core.carrying import NOON, SYSTEM, TOOLS, result, tool_turn, use
from tests.core.decided import decided

GO = {"role": "user", "content": "Read all files."}
MODEL = default().resolve("claude-sonnet-4-6")
HOW = reading(default(), MODEL, None)


def body(messages: list[Any], *edits: Any) -> dict[str, Any]:
    asked = {"model": MODEL.id, "max_tokens": 9, "system": SYSTEM, "tools": TOOLS, "messages": messages}
    return {**asked, "context_management": {"edits": list(edits)}} if edits else asked


def tools(keep: int, trigger: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "type": "clear_tool_uses_20250919",
        "trigger": {"type": "tool_uses", "value": trigger},
        "keep": {"type": "tool_uses", "value": keep},
        **more,
    }


def read(asked: dict[str, Any]) -> Any:
    """The prompt as the model is taken to see it."""

    def unmeasured(_: Any) -> Any:
        raise AssertionError("nothing here goes by length")

    return read_prompt(seen(asked, MODEL, unmeasured).body, HOW)


def long(steps: int) -> list[Any]:
    return [GO, *(message for step in range(steps) for message in tool_turn(step, 20, nested=bool(step % 2)))]


def with_placeholders(messages: list[Any], gone: int) -> list[Any]:
    """The first `gone` results replaced, by hand."""
    left = copy.deepcopy(messages)
    for message in [one for one in left if one["role"] == "user"][1 : gone + 1]:
        message["content"][0]["content"] = PLACEHOLDER
    return left


@given(st.integers(1, 12), st.integers(1, 12))
def test_the_oldest_results_are_placeholders(steps: int, keep: int) -> None:
    messages = long(steps)
    gone = max(0, steps - keep)
    expected = read_prompt(body(with_placeholders(messages, gone)), HOW)
    found = read(body(messages, tools(keep)))
    assert found.prefixes == expected.prefixes
    assert [block.path for block in found.blocks] == [block.path for block in expected.blocks]


def test_a_cut_stays_where_it_is_while_the_conversation_grows() -> None:
    before: tuple[bytes, ...] = ()
    for steps in range(6, 16):
        asked = body(long(steps))
        history = History.of(asked["messages"])
        found = read(cut_there(asked, history, Cut(4), ()))
        assert found.prefixes[: len(before)] == before
        before = found.prefixes
        assert (
            sum(
                block.value.get("content") == PLACEHOLDER
                for block in found.blocks
                if block.depth == 0 and block.kind == "tool_result"
            )
            == 4
        )


def test_cleared_thinking_leaves_the_paths_of_what_stays() -> None:
    messages = long(4)
    for step, message in enumerate(one for one in messages if one["role"] == "assistant"):
        message["content"].insert(0, {"type": "thinking", "thinking": f"hm {step}", "signature": "s"})
    keep = {"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}
    found = read(body(messages, keep))
    thoughts = [block.path[1] for block in found.blocks if block.kind == "thinking"]
    assert thoughts == [7]
    uses = [block.path for block in found.blocks if block.kind == "tool_use"]
    assert uses == [("messages", at, "content", 1) for at in (1, 3, 5, 7)]


def test_what_is_before_a_summary_is_not_read() -> None:
    summary = {"type": "compaction", "content": "what was said"}
    messages = long(3)
    messages.append({"role": "assistant", "content": [{"type": "text", "text": "a"}, summary, use("b")]})
    messages.append({"role": "user", "content": [result("b", 5)]})
    found = read(body(messages))
    kinds = [block.kind for block in found.blocks[found.static_end + 1 :]]
    assert kinds == ["compaction", "tool_use", "tool_result"]
    assert found.blocks[found.static_end + 1].path == ("messages", 7, "content", 1)
    failed = copy.deepcopy(messages)
    failed[7]["content"][1]["content"] = None
    assert len(read(body(failed))) == len(read_prompt(body(failed), HOW))


@pytest.mark.parametrize(
    "management",
    [
        {"edits": [{"type": "clear_everything_20990101"}]},
        {"edits": "all"},
        "clear",
        3,
        {"edits": [tools(-1)]},
    ],
)
def test_what_is_not_understood_clears_nothing(management: Any) -> None:
    messages = long(5)
    asked = {**body(messages), "context_management": management}
    assert read(asked).prefixes == read_prompt(body(messages), HOW).prefixes


def test_inputs_excluded_tools_and_least_amounts() -> None:
    messages = long(5)
    cleared = read(body(messages, tools(2, clear_tool_inputs=["read"])))
    assert [block.value["input"] for block in cleared.blocks if block.kind == "tool_use"][:3] == [{}] * 3
    assert read(body(messages, tools(2, exclude_tools=["read"]))).prefixes == read(body(messages)).prefixes
    assert read(body(messages, tools(2, trigger=5))).prefixes == read(body(messages)).prefixes


def test_edits_by_length_go_by_what_bills_have_shown() -> None:
    """A trigger in tokens is passed where the workspace's own measure says so."""
    workspace, messages = Workspace(default()), [GO, *tool_turn(0), *tool_turn(1), *tool_turn(2)]
    whole = workspace.look(body(messages), NOON)
    assert whole is not None
    total = whole.plan.total.mid
    for trigger, gone in ((total + 50, 0), (total - 50, 2)):
        edit = tools(1, trigger=0)
        edit["trigger"] = {"type": "input_tokens", "value": trigger}
        planned = workspace.look(body(messages, edit), NOON)
        assert planned is not None
        assert planned.asked.edited is not None
        assert planned.asked.edited.tool_uses == gone


def test_looking_leaves_no_trace() -> None:
    """What is looked at is neither counted as a step nor as being written."""
    messages, plain, looked = [GO], Workspace(default()), Workspace(default())
    for step in range(6):
        asked, now = body(messages), NOON + 20 * step
        expected = plain.plan(asked, now, label="a")
        for other in (asked, body(long(step)), body([*messages, *tool_turn(99)])):
            looked.look(other, now, "a")
        found = looked.plan(asked, now, label="a")
        assert expected is not None
        assert found is not None
        assert decided(found.plan) == decided(expected.plan)
        assert found.situation.events == expected.situation.events
        seen_before = looked.look(asked, now, "a")
        assert seen_before is not None
        for one, planned in ((plain, expected), (looked, found)):
            one.sent(planned, now, now + 1)
        messages += tool_turn(step)


def test_a_look_foresees_what_a_plan_finds() -> None:
    workspace, messages = Workspace(default()), [GO]
    for step in range(6):
        asked, now = body(messages), NOON + 20 * step
        ahead = workspace.look(asked, now, "a")
        planned = workspace.plan(asked, now, label="a")
        assert ahead is not None
        assert planned is not None
        places = [[event.position for event in one.situation.events] for one in (ahead, planned)]
        assert places[0] == places[1]
        assert ahead.plan.markers == planned.plan.markers
        assert ahead.plan.chosen.outcome == planned.plan.chosen.outcome
        workspace.sent(planned, now, now + 1)
        messages += tool_turn(step)


def test_a_conversation_goes_on_where_something_of_it_was_cleared() -> None:
    """What comes next is learned on: a cut is no new conversation, and nothing parts there."""
    workspace, messages, steps = Workspace(default()), [GO], []
    for step in range(12):
        asked = body(messages)
        if step >= 6:
            asked = cut_there(asked, History.of(messages), Cut(4 if step < 9 else 7), ())
        planned = workspace.plan(asked, NOON + 20 * step, label="a")
        assert planned is not None
        steps.append(planned)
        workspace.sent(planned, NOON + 20 * step, NOON + 20 * step + 1)
        workspace.billed(planned, Usage(input_tokens=planned.plan.total.mid), f"msg_{step}")
        messages += tool_turn(step)
    assert [planned.previous for planned in steps[1:]] == [f"msg_{step}" for step in range(11)]
    likely = [planned.situation.events[0].within_5m for planned in steps]
    assert min(likely[6:]) >= likely[5] - 0.05


def test_a_bill_for_another_cut_than_foreseen_teaches_nothing() -> None:
    workspace, messages = Workspace(default()), long(8)
    asked = cut_there(body(messages), History.of(messages), Cut(5), ())
    planned = workspace.plan(asked, NOON)
    assert planned is not None
    workspace.sent(planned, NOON, NOON + 1)
    foreseen = workspace.look(asked, NOON + 2)
    assert foreseen is not None
    assert foreseen.plan.chosen.outcome.read > 0
    workspace.billed(planned, Usage(input_tokens=90_000), edited={"clear_tool_uses_20250919": 1})
    again = workspace.look(asked, NOON + 2)
    assert again is not None
    assert again.plan.total == planned.plan.total
    assert again.plan.chosen.outcome.read == 0  # what was written is another prompt's
    workspace.billed(planned, Usage(input_tokens=4_321), edited={"clear_tool_uses_20250919": 5})
    again = workspace.look(asked, NOON)
    assert again is not None
    assert again.plan.total.mid == 4_321


def test_a_bill_with_a_summary_is_not_taken_for_the_length_of_the_prompt() -> None:
    workspace = Workspace(default())
    planned = workspace.plan(body(long(8)), NOON)
    assert planned is not None
    summed = Iteration(type="compaction", input_tokens=planned.plan.total.mid + 100, output_tokens=50)
    left = Iteration(type="message", input_tokens=700, output_tokens=5)
    workspace.billed(planned, Usage(input_tokens=700, output_tokens=5, iterations=(summed, left)))
    again = workspace.look(body(long(8)), NOON)
    assert again is not None
    assert again.plan.total == planned.plan.total
