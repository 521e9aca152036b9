"""What is left out where it can change nothing: the long way round gives the same, always."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitoken import Kitoken

from scrimp.core import spans
from scrimp.core.diagnose import Watch
from scrimp.core.diagnose_planned import call_of
from scrimp.core.meter import meter_response
from scrimp.core.plan import Plan, plan
from scrimp.core.spans import compare_texts
from scrimp.core.tokens.learner import Learner
from scrimp.core.workspace import Planned, Workspace
from scrimp.errors import ResponseError
from scrimp.facts import default, vocabulary
from scrimp.facts.vocabulary import vocabulary_count
from scrimp.wire.response import CacheCreation, Usage, read_response

NOW = 1_795_000_000.0
HELLO = [{"role": "user", "content": "hello, who are you?"}]
SYSTEMS = ("", "You classify. " * 20, "You are careful. " * 150)
GAPS = (0.01, 1.0, 8.0, 200.0, 1_000.0, 4_000.0)


def decided(plan: Plan) -> list[Any]:
    return [plan.edits, plan.decisions, plan.own, plan.chosen, plan.total, plan.input_cost]


@st.composite
def traffic(draw: st.DrawFn, marks: bool = True) -> list[tuple[dict[str, Any], float, str | None]]:
    """Short requests mostly: questions, conversations, now and then one long enough to be cached."""
    found, now = [], NOW
    conversations: list[list[dict[str, Any]]] = []
    for number in range(draw(st.integers(2, 14))):
        if not conversations or draw(st.booleans()):
            text = f"question {draw(st.integers(0, 3))} " + "words " * draw(st.sampled_from([3, 60, 900]))
            conversations.append([{"role": "user", "content": text}])
        else:
            which = draw(st.integers(0, len(conversations) - 1))
            answered = [
                {"role": "assistant", "content": "yes"},
                {"role": "user", "content": f"and {number}?"},
            ]
            conversations[which] = [*conversations[which], *answered]
            conversations.append(conversations.pop(which))
        body = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": conversations[-1]}
        if system := draw(st.sampled_from(SYSTEMS)):
            body["system"] = system
        if marks and draw(st.integers(0, 5)) == 0:
            body["cache_control"] = {"type": "ephemeral"}
        now += draw(st.sampled_from(GAPS))
        found.append((body, now, draw(st.sampled_from([None, "a", "b"]))))
    return found


def play(one: Workspace, request: tuple[dict[str, Any], float, str | None]) -> tuple[Planned, Usage]:
    """A request as it is planned, answered and billed as foreseen."""
    body, now, label = request
    planned = one.plan(body, now, label=label)
    assert planned is not None
    one.sent(planned, now, now + 0.5)
    outcome = planned.plan.chosen.outcome
    writes = CacheCreation(outcome.write_5m, outcome.write_1h)
    usage = Usage(outcome.plain, 9, outcome.written, outcome.read, writes)
    one.billed(planned, usage)
    return planned, usage


@given(traffic())
@settings(max_examples=60, deadline=None)
def test_prompts_too_short_for_an_entry_are_left_as_the_planner_would_leave_them(requests: Any) -> None:
    one = Workspace(default())
    for request in requests:
        planned, _ = play(one, request)
        if planned.too_short:
            assert decided(planned.plan) == decided(plan(planned.situation, total=planned.plan.total))
            assert planned.plan.total.high < planned.asked.rules.minimum
        else:
            assert planned.prompt.markers or planned.plan.total.high >= planned.asked.rules.minimum


@given(traffic())
@settings(max_examples=60, deadline=None)
def test_prompts_too_short_for_an_entry_teach_no_more_than_how_long_they_were(requests: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "note", lambda *_: None)
        all_of_them, the_long_ones = Workspace(default()), Workspace(default())
        for request in requests:
            planned, _ = play(all_of_them, request)
            if not planned.too_short:
                assert decided(play(the_long_ones, request)[0].plan) == decided(planned.plan)
        assert all_of_them.learned == the_long_ones.learned


@given(traffic(marks=False))
@settings(max_examples=60, deadline=None)
def test_misses_of_prompts_too_short_for_an_entry_have_the_names_they_would_have(requests: Any) -> None:
    one, quick, thorough = Workspace(default()), Watch(), Watch()
    for request in requests:
        planned, usage = play(one, request)
        found = []
        for watch, too_short in ((quick, planned.too_short), (thorough, False)):
            call = msgspec.structs.replace(
                call_of(planned, request[0], label=request[2]), too_short=too_short
            )
            watched = watch.expect(call)
            watch.began(watched, request[1] + 0.5)
            found.append((watched.foreseen, watch.judge(watched, usage)))
        if planned.too_short:
            assert found[0] == found[1]


def test_a_short_prompt_billed_before_is_known_to_the_token() -> None:
    one, body = Workspace(default()), {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": HELLO}
    planned = one.plan(body, NOW)
    assert planned is not None
    one.billed(planned, Usage(17, 9, 0, 0))
    again = one.plan(body, NOW + 1.0)
    assert again is not None
    assert again.plan.total.mid == 17


TEXTS = st.text(st.sampled_from("eao ixn\n\\t,{}[]\"'0123456789-abEA"), max_size=60)


@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_texts_that_differ_in_letters_differ_in_more_than_blanks_and_order(
    before: str, other: str, chance: random.Random
) -> None:
    shuffled = "".join(chance.sample(before, len(before)))
    spaced = before.replace(" ", "  \n")
    for after in (other, shuffled, spaced):
        quick = compare_texts(before, after)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spans, "_same_letters", lambda before, after: True)
            assert compare_texts(before, after) == quick


TIMES = (
    "2026-11-21|21/11/2026|12:30|1:05:09.123|3rd|21|2026|1795000000|1795000000.25|20261121t123000z|7|\u0663"
)
NAMES = "Mon|tue|Wednesday|Thurs,|friday|mar|March|may|Sept.|\u017fun|T|at |Z|GMT|pm|+01:00| |  |\n|, |x|.|_"
WORDS = st.sampled_from([*TIMES.split("|"), *NAMES.split("|")])


@given(st.lists(WORDS, max_size=14).map("".join))
@settings(max_examples=400)
def test_times_are_masked_wherever_they_stand(text: str) -> None:
    assert spans._without_times(text) == spans._TIMESTAMP.sub("<time>", text)


@cache
def _published(**changes: Any) -> Kitoken:
    """The published vocabulary with its own numbers."""
    return Kitoken.from_tokenizers(msgspec.json.encode({**vocabulary._document(), **changes}))


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_plain_text_needs_no_normal_form(text: str) -> None:
    whole = _published().encode(text, False)
    assert _published(normalizer=None).encode(text, False) == whole
    assert vocabulary_count(text) == len(whole)


PIECES = st.sampled_from(
    ["<EOT>", "<META>", " ", "\n", "the", "é", "\ufdfa", "\u0301", "1", "漢", "'s", "\xa0"]
)


@given(st.lists(PIECES | st.characters(exclude_categories=["Cs"]), max_size=12).map("".join))
def test_tokens_are_as_many_without_numbers_of_their_own(text: str) -> None:
    assert vocabulary_count(text) == len(_published().encode(text, False))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"diagnostics": {"cache_miss_reason": {"type": "tools_changed", "cache_missed_input_tokens": 7}}},
        {"content": [{"type": "text", "text": "\ud800"}]},
        {"type": "error"},
        {"model": 3},
        {"usage": None},
        {"usage": {"input_tokens": None}},
        {"usage": {"input_tokens": -1}},
        {"usage": [1]},
    ],
)
def test_a_response_is_metered_without_its_content_as_with_it(fields: dict[str, Any]) -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "model": "claude-opus-5-5",
        "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "hi"}],
        "usage": {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 7, "speed": "fast"},
        **fields,
    }
    raw = json.dumps(message).encode()  # half a surrogate pair stays written as an escape
    try:
        response = read_response(raw)
    except ResponseError as error:
        with pytest.raises(ResponseError, match=str(error)[:20]):
            meter_response(raw)
        return
    metered = meter_response(raw)
    assert (metered.usage, metered.model, metered.message_id) == (response.usage, response.model, response.id)
    assert metered.stop_reason == response.stop_reason
    assert (metered.missed is not None) == ("diagnostics" in fields)
