"""One call, top to bottom: what is written down however it ends, with no I/O at all."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from scrimp.core.budget import Held, Settlement
from scrimp.core.causes import Cause
from scrimp.core.commands import (
    Answer,
    Attempt,
    Began,
    Billed,
    Command,
    Dropped,
    Fault,
    Finished,
    Foresee,
    Keep,
    Meter,
    Plan,
    Release,
    Reserve,
    Send,
)
from scrimp.core.diagnose import Watch
from scrimp.core.diagnose_planned import call_of
from scrimp.core.flow import flow
from scrimp.core.meter import Metered, OutputChars
from scrimp.core.record import Record, Tags
from scrimp.core.workspace import Workspace
from scrimp.errors import BudgetUnavailable, ContextExceeded
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, Usage

NOW = 1_795_000_000.0  # 2026-11-18
FACTS = default()
BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "system": "You are an agent. " * 800,
    "messages": [{"role": "user", "content": "Fix the test."}],
}
# Opus 5.5: 4 / 5 / 0.20 / 20 USD per million (input / 5m write / read / output).
USAGE = Usage(
    input_tokens=3,
    output_tokens=50,
    cache_creation_input_tokens=4000,
    cache_creation=CacheCreation(ephemeral_5m_input_tokens=4000),
)
COST = 3 * 4_000_000 + 4000 * 5_000_000 + 50 * 20_000_000


def attempt(**fields: Any) -> Attempt:
    known: dict[str, Any] = {"number": 0, "body": BODY, "mode": "safe", "tags": Tags(), "stream": False}
    return Attempt(id="a1", call_id="c1", **{**known, **fields})


def metered(usage: Usage | None = USAGE, *, complete: bool = True, hidden: bool = False) -> Finished:
    found = Metered(
        usage=usage,
        model="claude-opus-5-5",
        message_id="msg_1",
        stop_reason="end_turn",
        complete=complete,
        estimated=not complete,
        hidden=hidden,
    )
    return Finished(found, NOW + 5)


OK = Answer(status=200, started_at=NOW, first_event_at=NOW + 1, provider="anthropic", request_id="req_1")


def run(
    one: Attempt,
    *,
    sent: Answer | Exception = OK,
    end: Finished | Fault | None = None,
    plan: Any = None,
    watch: Watch | None = None,
    held: Held | Exception | None = None,
) -> tuple[list[Command], list[Record]]:
    """Run the flow to its end; returns every command and the records kept."""
    workspace, watch = Workspace(FACTS), watch or Watch()
    steps: Generator[Command, Any, None] = flow(one, FACTS, lambda: NOW)
    commands, kept = [], []
    command: Command | None = next(steps)
    while command is not None:
        commands.append(command)
        answer: Any = None
        if isinstance(command, Plan):
            answer = plan or workspace.plan(command.body, NOW, again=command.again)
        elif isinstance(command, Foresee):
            run_id = command.tags.run_ids[-1] if command.tags.run_ids else None
            answer = watch.expect(call_of(command.planned, command.body, run=run_id))
        elif isinstance(command, Began) and command.watched is not None:
            watch.began(command.watched, command.answer.first_event_at)
        elif isinstance(command, Billed) and command.watched is not None:
            answer = watch.judge(command.watched, command.usage, provider=command.missed)
        elif isinstance(command, Keep):
            kept.append(command.record)
        elif isinstance(command, Meter):
            answer = end or metered()
        elif isinstance(command, Send):
            answer = sent
        elif isinstance(command, Reserve):
            answer = held
        try:
            command = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
        except StopIteration:
            command = None
    return commands, kept


def test_a_call_that_goes_well_is_planned_sent_metered_learned_and_kept() -> None:
    commands, (record,) = run(attempt())
    assert [type(command) for command in commands] == [
        Plan,
        Foresee,
        Reserve,
        Send,
        Began,
        Meter,
        Billed,
        Keep,
    ]
    assert commands[3].edits  # type: ignore[union-attr]  # the fourth is Send
    assert (record.cost, record.measured, record.outcome) == (COST, True, "complete")
    assert (record.id, record.call_id, record.attempt, record.status) == ("a1", "c1", 0, 200)
    assert (record.started_at, record.first_event_at, record.ended_at) == (NOW, NOW + 1, NOW + 5)
    assert (record.message_id, record.request_id) == ("msg_1", "req_1")
    assert record.predicted_read == 0
    assert record.predicted_write is not None
    assert record.predicted_write > 3000


def test_saved_compares_with_the_callers_own_request_under_the_same_model() -> None:
    _, (record,) = run(attempt())
    # The caller's own request has no markers: all its input plain. Lengths are scaled to the billed total.
    assert record.own_cost == pytest.approx(4003 * 4_000_000 + 50 * 20_000_000, rel=1e-6)
    assert record.saved is not None
    assert record.saved < 0  # a first step writes: the saving comes later


def test_observing_sends_the_very_request_and_predicts_its_own_markers() -> None:
    commands, (record,) = run(
        attempt(mode="observe"), end=metered(Usage(input_tokens=4003, output_tokens=50))
    )
    assert commands[3] == Send(())
    assert (record.predicted_read, record.predicted_write) == (0, 0)
    assert record.saved == 0


def test_a_refused_request_costs_nothing_and_is_not_kept() -> None:
    refused = Answer(status=529, started_at=NOW, first_event_at=NOW, provider="anthropic")
    commands, kept = run(attempt(), sent=refused)
    assert [type(command) for command in commands] == [Plan, Foresee, Reserve, Send, Dropped]
    assert kept == []


def test_when_no_answer_is_seen_the_input_is_kept_as_an_estimate_and_the_error_goes_on() -> None:
    steps = flow(attempt(), FACTS, lambda: NOW)
    next(steps)
    planned = Workspace(FACTS).plan(BODY, NOW)
    assert planned is not None
    steps.send(planned)
    steps.send(Watch().expect(call_of(planned, BODY)))
    steps.send(None)
    assert isinstance(steps.throw(TimeoutError("no answer")), Dropped)
    keep = steps.send(None)
    assert isinstance(keep, Keep)
    assert (keep.record.outcome, keep.record.measured) == ("unknown", False)
    assert keep.record.cost > 3000 * 4_000_000
    with pytest.raises(TimeoutError, match="no answer"):
        steps.send(None)


def test_a_call_that_never_reached_the_api_cost_nothing_and_is_not_kept() -> None:
    class ConnectError(Exception):
        """Named as httpx names it."""

    refused = RuntimeError("Connection error.")
    refused.__cause__ = ConnectError("connection refused")
    steps = flow(attempt(), FACTS, lambda: NOW)
    next(steps)
    steps.send(Workspace(FACTS).plan(BODY, NOW))
    steps.send(Fault("not watched"))
    steps.send(None)
    assert isinstance(steps.throw(refused), Dropped)
    with pytest.raises(RuntimeError, match="Connection error"):
        steps.send(None)


def test_a_stream_that_broke_off_is_kept_with_its_exact_input_and_marked() -> None:
    _, (record,) = run(attempt(stream=True), end=metered(complete=False))
    assert (record.outcome, record.measured, record.cost) == ("cut off", False, COST)


def test_a_response_that_cannot_be_metered_is_kept_as_unknown() -> None:
    for end in (Fault("unreadable"), metered(None)):
        _, (record,) = run(attempt(), end=end)
        assert (record.outcome, record.measured) == ("unknown", False)


def test_a_fault_of_planning_sends_the_very_request_and_the_record_says_so() -> None:
    commands, (record,) = run(attempt(), plan=Fault("planning failed"))
    assert [type(command) for command in commands] == [Plan, Reserve, Send, Meter, Keep]
    assert commands[2] == Send(())
    assert record.fault == "planning failed"
    assert (record.cost, record.measured) == (COST, True)
    assert record.own_cost is None


def test_when_the_untouched_request_went_out_after_all_nothing_is_believed_of_the_plan() -> None:
    answer = Answer(
        status=200, started_at=NOW, first_event_at=NOW, provider="anthropic", fault="the API refused the plan"
    )
    commands, (record,) = run(attempt(), sent=answer)
    assert [type(command) for command in commands] == [Plan, Foresee, Reserve, Send, Dropped, Meter, Keep]
    assert record.fault == "the API refused the plan"
    assert record.miss is None


def test_the_record_says_why_the_cache_was_missed_and_what_that_cost() -> None:
    watch, tags = Watch(), Tags(run=("fix",), run_ids=("r1",))
    _, (first,) = run(attempt(tags=tags), watch=watch)
    assert (first.miss, first.lost) == (Cause.FIRST.value, 0)
    edited = {**BODY, "system": BODY["system"].replace("agent", "clerk", 1)}
    _, (second,) = run(attempt(body=edited, tags=tags), watch=watch)
    # 4,000 tokens written again at 5 USD per million instead of read at 0.20.
    assert (second.miss, second.lost) == (Cause.SYSTEM_EDITED.value, 4000 * (5_000_000 - 200_000))


def test_a_retry_is_planned_again_without_being_counted_as_a_new_step() -> None:
    commands, _ = run(attempt(number=2))
    assert commands[0] == Plan(BODY, again=True)


def test_output_of_a_broken_stream_is_estimated_by_the_models_own_tokenizer() -> None:
    seen = OutputChars(text=10_000)
    newer = next(c for c in run(attempt())[0] if isinstance(c, Meter))
    older_body = {**BODY, "model": "claude-sonnet-4-5"}
    older = next(c for c in run(attempt(body=older_body))[0] if isinstance(c, Meter))
    assert older.output_tokens_of(seen) < newer.output_tokens_of(seen)


HELD = Held("a1", COST * 3, ("organisation/day",))


def kept_of(commands: list[Command]) -> Keep:
    (keep,) = [command for command in commands if isinstance(command, Keep)]
    return keep


def test_money_is_held_before_anything_is_sent_and_settled_with_the_record() -> None:
    commands, _ = run(attempt(), held=HELD)
    kinds = [type(command) for command in commands]
    assert kinds.index(Reserve) < kinds.index(Send)
    assert kept_of(commands).settlement == Settlement("a1", COST)


def test_where_nothing_is_limited_nothing_is_settled() -> None:
    assert kept_of(run(attempt(), held=Held("a1", 10))[0]).settlement is None
    assert kept_of(run(attempt())[0]).settlement is None


def test_a_refused_request_gives_its_hold_back() -> None:
    refused = Answer(status=529, started_at=NOW, first_event_at=NOW, provider="anthropic")
    commands, kept = run(attempt(), sent=refused, held=HELD)
    assert commands[-1] == Release("a1")
    assert kept == []


def test_a_budget_that_says_no_keeps_the_request_from_going_out_and_forgets_its_plan() -> None:
    steps = flow(attempt(), FACTS, lambda: NOW)
    next(steps)
    planned = Workspace(FACTS).plan(BODY, NOW)
    assert planned is not None
    steps.send(planned)
    assert isinstance(steps.send(Watch().expect(call_of(planned, BODY))), Reserve)
    assert isinstance(steps.throw(BudgetUnavailable("cannot be told")), Dropped)
    assert steps.send(None) == Release("a1")  # it may have been held all the same
    with pytest.raises(BudgetUnavailable):
        steps.send(None)


def test_an_answer_that_was_never_seen_keeps_its_whole_hold_as_spent() -> None:
    commands, (record,) = run(attempt(), sent=OK, end=metered(None), held=HELD)
    assert record.outcome == "unknown"
    assert kept_of(commands).settlement == Settlement("a1", HELD.amount)


def test_a_broken_stream_settles_to_its_input_and_the_most_it_may_have_put_out() -> None:
    commands, (record,) = run(attempt(stream=True), end=metered(complete=False), held=HELD)
    # 50 output tokens are estimated: half again as many, and 500 that may have been on their way.
    assert kept_of(commands).settlement == Settlement("a1", COST + (25 + 500) * 20_000_000)
    assert record.cost == COST


def test_a_stream_cut_during_hidden_thinking_keeps_its_whole_hold_as_spent() -> None:
    commands, _ = run(attempt(stream=True), end=metered(complete=False, hidden=True), held=HELD)
    assert kept_of(commands).settlement == Settlement("a1", HELD.amount)


def test_a_prompt_beyond_the_context_of_its_run_is_not_sent() -> None:
    steps = flow(attempt(max_context=2000), FACTS, lambda: NOW)
    next(steps)
    planned = Workspace(FACTS).plan(BODY, NOW)
    assert planned is not None
    steps.send(planned)
    assert isinstance(steps.send(Watch().expect(call_of(planned, BODY))), Dropped)
    steps.send(None)
    with pytest.raises(ContextExceeded, match=r"its run allows 2,000: compact the conversation"):
        steps.send(None)
