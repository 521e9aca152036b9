"""One workspace over time: what it plans follows from what it has seen and been billed."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core.workspace import Planned, Workspace
from scrimp.errors import RequestError
from scrimp.facts.models import default
from scrimp.wire.request import blocks, with_markers
from scrimp.wire.response import Usage

NOW = 1_795_000_000.0  # 2026-11-18
SYSTEM = "You are a careful agent. " * 600
STEPS = [f"step {n}: " + "some output of a tool, line after line. " * 60 for n in range(40)]


def body_of(steps: int, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "assistant" if n % 2 else "user", "content": STEPS[n]} for n in range(2 * steps - 1)]
    return {"model": "claude-opus-5-5", "max_tokens": 100, "system": SYSTEM, "messages": messages, **fields}


def plan(workspace: Workspace, steps: int, now: float, **fields: Any) -> Planned:
    """The plan of a request that can be planned."""
    planned = workspace.plan(body_of(steps, **fields), now)
    assert planned is not None
    return planned


def test_each_step_reads_what_the_step_before_wrote() -> None:
    workspace = Workspace(default())
    before = None
    for step in range(1, 6):
        planned = plan(workspace, step, NOW + 20 * step)
        outcome = planned.plan.chosen.outcome
        if before is not None:
            # Estimates of two prompts, each rounded as a whole.
            assert outcome.read == pytest.approx(before.read + before.written, abs=1)
        workspace.sent(planned, NOW + 20 * step, NOW + 20 * step + 1)
        before = outcome
    assert before is not None
    assert before.read > before.written > 0


def test_the_planned_request_says_the_same_and_is_marked_where_the_plan_says() -> None:
    workspace = Workspace(default())
    body = body_of(2)
    planned = workspace.plan(body, NOW)
    assert planned is not None
    sent = with_markers(body, planned.plan.edits)
    marked = [n for n, block in enumerate(blocks(sent)) if block.ttl]
    assert marked == [marker.position for marker in planned.plan.markers]
    as_sent = workspace.plan(sent, NOW)
    assert as_sent is not None
    assert as_sent.prompt.prefixes == planned.prompt.prefixes


def test_after_a_pause_beyond_the_ttl_nothing_is_read() -> None:
    workspace = Workspace(default())
    planned = plan(workspace, 1, NOW)
    workspace.sent(planned, NOW, NOW + 1)
    assert plan(workspace, 2, NOW + 299).plan.chosen.outcome.read > 0
    workspace = Workspace(default())
    workspace.sent(plan(workspace, 1, NOW), NOW, NOW + 1)
    assert plan(workspace, 2, NOW + 4000).plan.chosen.outcome.read == 0


def test_a_bill_makes_the_next_estimate_nearly_exact() -> None:
    workspace = Workspace(default())
    planned = plan(workspace, 3, NOW)
    workspace.sent(planned, NOW, NOW + 1)
    # Billed half as much again as estimated: the next step starts from the bill.
    billed = planned.plan.total.mid * 3 // 2
    workspace.billed(planned, Usage(input_tokens=3, cache_creation_input_tokens=billed - 3))
    next_total = plan(workspace, 4, NOW + 10).plan.total.mid
    grown = plan(workspace, 4, NOW + 10).plan.total.mid - billed
    assert next_total > billed
    assert 0 < grown < 2 * 2000


def test_where_the_provider_does_not_cache_the_request_is_left_alone() -> None:
    workspace = Workspace(default(), provider="bedrock")
    day_before_bedrock_cached = 1_733_000_000.0  # 2024-11-30
    assert plan(workspace, 3, day_before_bedrock_cached).plan.edits == ()


def test_a_thread_gets_at_most_three_markers() -> None:
    tools = [{"name": "ls", "description": "list files " * 200, "input_schema": {"type": "object"}}]
    workspace = Workspace(default())
    for step in (1, 2):
        planned = plan(workspace, step, NOW + step, tools=tools, thread={"type": "create"})
        workspace.sent(planned, NOW + step, NOW + step + 0.1)
        assert len(planned.plan.markers) <= 3


def test_what_is_not_a_request_is_refused() -> None:
    with pytest.raises(RequestError, match=r"^messages:"):
        Workspace(default()).plan({"model": "claude-opus-5-5"}, NOW)


def test_the_next_turn_of_a_thread_is_left_alone() -> None:
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    assert Workspace(default()).plan(body_of(1, thread=thread), NOW) is None


def test_a_bill_that_shows_an_entry_gone_is_believed() -> None:
    workspace = Workspace(default())
    workspace.sent(plan(workspace, 1, NOW), NOW, NOW + 1)
    second = plan(workspace, 2, NOW + 10)
    expected = second.plan.chosen.outcome
    workspace.sent(second, NOW + 10, NOW + 11)
    # Billed as if nothing had been there: everything written anew.
    missed = Usage(
        input_tokens=3, cache_creation_input_tokens=expected.read + expected.written, reports_cache=True
    )
    workspace.billed(second, missed)
    third = plan(workspace, 3, NOW + 20)
    assert third.plan.chosen.outcome.read == pytest.approx(expected.read + expected.written, abs=20)


def test_a_bill_that_shows_a_live_entry_is_believed() -> None:
    workspace = Workspace(default())
    body = body_of(2, system=[{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}])
    planned = workspace.plan(body, NOW)
    assert planned is not None
    workspace.sent(planned, NOW, NOW + 1)
    system = planned.situation.ends[0]
    rest = planned.plan.total.mid - system
    warm = Usage(
        input_tokens=3, cache_read_input_tokens=system, cache_creation_input_tokens=rest, reports_cache=True
    )
    workspace.billed(planned, warm)
    other = body_of(1, system=body["system"], messages=[{"role": "user", "content": "something else"}])
    again = workspace.plan(other, NOW + 10)
    assert again is not None
    assert again.plan.chosen.outcome.read == pytest.approx(system, abs=20)


def test_a_retry_is_planned_like_the_request_that_failed() -> None:
    # What the failed attempt was about to write is in no cache: the retry has to write it.
    workspace = Workspace(default())
    first = plan(workspace, 3, NOW)
    again = workspace.plan(body_of(3), NOW + 2, again=True)
    assert again is not None
    assert first.plan.chosen.outcome.written > 0
    assert again.plan.markers == first.plan.markers


def test_two_at_once_write_once() -> None:
    workspace = Workspace(default())
    leader, follower = plan(workspace, 3, NOW), plan(workspace, 3, NOW + 1)
    assert leader.plan.chosen.outcome.written > 0
    assert follower.plan.chosen.outcome.written == 0
    workspace.sent(leader, NOW, NOW + 2)
    assert plan(workspace, 3, NOW + 3).plan.chosen.outcome.read == leader.plan.chosen.outcome.written


def test_labels_that_never_go_on_learn_to_write_nothing() -> None:
    workspace = Workspace(default())
    tools = [{"name": "ls", "description": "list files " * 400, "input_schema": {"type": "object"}}]
    written = []
    for number in range(60):
        body = body_of(1, tools=tools, system=f"for user {number}: {SYSTEM}")
        planned = workspace.plan(body, NOW + number * 4000, label="summaries")
        assert planned is not None
        workspace.sent(planned, NOW + number * 4000, NOW + number * 4000 + 1)
        written.append(planned.plan.chosen.outcome.written)
    assert written[0] > 0
    assert written[30:] == [0] * 30


def test_what_a_failed_request_was_to_write_is_written_by_the_next() -> None:
    workspace = Workspace(default())
    failed = plan(workspace, 1, NOW)
    assert plan(workspace, 1, NOW + 1).plan.chosen.outcome.written < failed.plan.chosen.outcome.written
    workspace.dropped(failed)
    assert plan(workspace, 1, NOW + 2).plan.chosen.outcome == failed.plan.chosen.outcome
