"""`scrimp.Trim`: the cut of `scrimp.trim` in every request, valid and stable while a conversation grows."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

import scrimp
from scrimp.core.levers import Step
from scrimp.core.passes.trim import Trim
from scrimp.core.record import Tags
from scrimp.core.tokens.counts import count_block
from scrimp.errors import InputError
from scrimp.facts.models import default
from tests.core.carrying import NOON, Sent, Session, tool_turn

GO = {"role": "user", "content": "Read all files."}
LIMITS = {"trigger": 20_000, "keep": 8_000}


def worked(lever: Trim | None, steps: int, model: str = "claude-sonnet-4-6") -> tuple[Session, list[Sent]]:
    session, messages, sent = Session(lever, model=model), [GO], []
    for step in range(steps):
        sent.append(session.step(session.body(messages)))
        messages += tool_turn(step)
    return session, sent


def test_old_turns_go_and_the_prefix_is_read_until_the_next_cut() -> None:
    plain, _ = worked(None, 40)
    session, sent = worked(Trim(**LIMITS), 40)
    assert session.spent < 0.8 * plain.spent
    cuts = [at for at, one in enumerate(sent) if one.decisions]
    assert 3 <= len(cuts) <= 10
    for at in range(1, 40):
        if at not in cuts:
            old = sent[at - 1].answered.usage.total_input
            assert sent[at].answered.usage.cache_read_input_tokens >= old - 10
    assert max(one.answered.usage.total_input for one in sent) < 30_000


def test_it_is_the_cut_of_the_function() -> None:
    messages: list[Any] = [GO, *(message for step in range(30) for message in tool_turn(step))]
    session = Session(Trim(**LIMITS))
    sent = session.step(session.body(messages))
    assert len(sent.body["messages"]) == len(scrimp.trim(messages, model=session.model, **LIMITS)) < 20


@pytest.mark.parametrize("model", ["claude-fable-5-2", "claude-opus-5-5"])
def test_models_that_bind_thinking_are_left_alone_before_they_think_and_that_is_said_once(model: str) -> None:
    """They may think at a later step, and whatever is cut after that would be refused."""
    session, messages, sent = Session(Trim(**LIMITS), model=model), [GO], []
    for step in range(20):
        answer, said = tool_turn(step)
        thought = [{"type": "thinking", "thinking": "hm", "signature": f"sig{step}"}] if step > 12 else []
        messages += [{**answer, "content": [*thought, *answer["content"]]}, said]
        sent.append(session.step(session.body(messages)))
    assert all(len(one.body["messages"]) == 3 + 2 * at for at, one in enumerate(sent))
    [said_once] = [one.what for each in sent for one in each.decisions]
    assert "binds its thinking to everything before it" in said_once


def test_what_was_left_out_is_what_the_caller_would_have_paid_for_it() -> None:
    """Without markers of the caller's that is plain input, $3 a million tokens, at a cut as at any step."""
    _, plain = worked(None, 20)
    _, sent = worked(Trim(**LIMITS), 20)
    assert any(one.decisions for one in sent)
    for whole, left in zip(plain, sent, strict=True):
        fewer = whole.answered.usage.total_input - left.answered.usage.total_input
        assert (left.change.own_extra if left.change else 0) == pytest.approx(fewer * 3_000_000, rel=0.02)


def test_a_block_is_measured_once_however_many_steps_it_is_in() -> None:
    lever, session, model = Trim(**LIMITS), Session(), default().resolve("claude-sonnet-4-6")
    messages: list[Any] = [GO, *(message for step in range(30) for message in tool_turn(step))]
    measured = 0

    def counting(frame: FrameType, event: str, _: object) -> None:
        nonlocal measured
        measured += event == "call" and frame.f_code is count_block.__code__

    for step in range(30, 35):
        given = Step(session.body(messages), model=model, tags=Tags(), now=NOON, look=lambda one: None)
        sys.setprofile(counting)
        try:
            assert lever.change(given) is not None
        finally:
            sys.setprofile(None)
        messages += tool_turn(step)
    assert measured == 1 + 2 * 34  # the task, and each step's call and result


@pytest.mark.parametrize("fields", [{"thread": {"type": "create"}}, {"compaction": {"type": "summarize"}}])
def test_threads_summaries_and_refused_models_are_left_alone(fields: Any) -> None:
    lever, session = Trim(**LIMITS), Session()
    body = session.body([GO, *(message for step in range(30) for message in tool_turn(step))], **fields)

    def step(asked: dict[str, Any]) -> Step:
        model = default().resolve(session.model)
        return Step(body=asked, model=model, tags=Tags(), now=NOON, look=lambda one: None)

    assert lever.change(step(body)) is None
    plain = {name: value for name, value in body.items() if name not in fields}
    assert lever.change(step(plain)) is not None
    assert lever.change(step({**plain, "messages": [{"role": "user"}, *plain["messages"], 3]})) is None
    lever.refused(step(plain))  # another lever's doing: nothing of this one was in that request
    ours = step(plain)
    assert lever.change(ours) is not None
    lever.refused(ours)
    assert lever.change(step(plain)) is None


def test_limits_without_sense_are_refused() -> None:
    for limits in ({"trigger": 10, "keep": 11}, {"keep": -1}, {"keep_turns": -1}):
        with pytest.raises(InputError, match="Trim: "):
            Trim(**limits)
