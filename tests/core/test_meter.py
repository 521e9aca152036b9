"""The meter: what a stream or a body billed, whole or broken off."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.meter import Meter, Metered, OutputChars, estimate_output, meter_response
from scrimp.errors import ResponseError
from scrimp.wire.events import Event
from tests.wire.usages import usages

START_USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 1_000,
    "cache_read_input_tokens": 5_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1_000},
    "output_tokens": 3,
    "service_tier": "standard",
}


def event(name: str, **fields: Any) -> Event:
    return Event(name, json.dumps({"type": name, **fields}).encode())


def start(usage: dict[str, Any] | None = None) -> Event:
    message = {"id": "msg_1", "model": "claude-opus-5-5", "content": [], "stop_reason": None}
    return event("message_start", message={**message, "usage": usage or START_USAGE})


def block(kind: str, **fields: Any) -> Event:
    return event("content_block_start", index=0, content_block={"type": kind, **fields})


def delta(kind: str, **fields: Any) -> Event:
    return event("content_block_delta", index=0, delta={"type": kind, **fields})


def end(output: int, reason: str = "end_turn", **usage: Any) -> list[Event]:
    told = {"output_tokens": output, **usage}
    return [event("message_delta", delta={"stop_reason": reason}, usage=told), event("message_stop")]


def metered(events: list[Event], output_tokens_of: Callable[[OutputChars], int] = estimate_output) -> Metered:
    meter = Meter()
    for each in events:
        meter.feed(each)
    return meter.finish(output_tokens_of)


def test_a_whole_stream_bills_its_start_overwritten_by_its_delta():
    events = [start(), block("text", text=""), delta("text_delta", text="hello"), event("ping"), *end(90)]
    result = metered(events)
    assert result.usage is not None
    assert (result.usage.total_input, result.usage.output_tokens) == (6_020, 90)
    assert (result.usage.write_1h, result.usage.service_tier) == (1_000, "standard")
    assert (result.model, result.message_id, result.stop_reason) == ("claude-opus-5-5", "msg_1", "end_turn")
    assert (result.complete, result.estimated, result.input_exact) == (True, False, True)
    assert result.error is None


def test_the_last_of_several_message_deltas_counts():
    first = event("message_delta", delta={}, usage={"output_tokens": 40, "input_tokens": 25})
    result = metered([start(), first, *end(90, input_tokens=30)])
    assert result.usage is not None
    assert (result.usage.output_tokens, result.usage.input_tokens) == (90, 30)


def test_a_stream_and_a_body_with_the_same_usage_are_metered_alike():
    usage = {**START_USAGE, "output_tokens": 90}
    body = {
        "id": "msg_1",
        "model": "claude-opus-5-5",
        "stop_reason": "end_turn",
        "content": [],
        "usage": usage,
    }
    assert meter_response(json.dumps(body).encode()) == meter_response(body) == metered([start(), *end(90)])


@given(usages)
def test_the_bytes_of_a_response_are_metered_as_what_they_say(usage: dict[str, Any]):
    body = {"id": "msg_1", "type": "message", "model": "claude-opus-5-5", "content": [], "usage": usage}
    assert outcome(lambda: meter_response(json.dumps(body).encode())) == outcome(lambda: meter_response(body))


def outcome(read: Callable[[], Metered]) -> Metered | str:
    try:
        return read()
    except ResponseError as error:
        return str(error)


def test_a_broken_stream_keeps_its_exact_input_and_estimates_its_output():
    seen: list[OutputChars] = []

    def tokens_of(chars: OutputChars) -> int:
        seen.append(chars)
        return 777

    events = [
        start(),
        block("thinking", thinking=""),
        delta("thinking_delta", thinking="abcd"),
        delta("signature_delta", signature="s" * 900),
        block("text", text=""),
        delta("text_delta", text="é🙂x"),
        block("tool_use", id="t", name="f", input={}),
        delta("input_json_delta", partial_json='{"a"'),
        delta("input_json_delta", partial_json=":1}"),
    ]
    result = metered(events, output_tokens_of=tokens_of)
    assert seen == [OutputChars(text=3, thinking=4, tool_input=7, tool_uses=1)]
    assert result.usage is not None
    assert (result.usage.total_input, result.usage.output_tokens) == (6_020, 777)
    assert (result.complete, result.estimated, result.input_exact) == (False, True, True)


def test_an_estimate_is_never_below_what_the_provider_already_told():
    result = metered([start({"input_tokens": 5, "output_tokens": 12})], output_tokens_of=lambda _: 2)
    assert result.usage is not None
    assert result.usage.output_tokens == 12


def test_thinking_that_is_not_shown_counts_by_its_signature():
    meter = Meter()
    hidden = [block("thinking", thinking=""), delta("signature_delta", signature="s" * 2_436)]
    for each in (start(), *hidden):
        meter.feed(each)
    # A recorded answer: 2,436 characters of signature over 463 tokens of hidden thinking.
    assert estimate_output(meter.seen) == pytest.approx(463, rel=0.05)


def test_a_stream_that_ended_before_its_start_billed_nothing_known():
    result = metered([event("ping")])
    assert result.usage is None
    assert (result.complete, result.estimated, result.input_exact) == (False, False, False)


def test_an_error_in_the_stream_is_kept_with_what_was_billed_before_it():
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"}, request_id="req_9")
    result = metered([start(), delta("text_delta", text="x" * 1_000), error])
    assert result.error is not None
    assert (result.error.type, result.error.message, result.error.request_id) == (
        "overloaded_error",
        "Overloaded",
        "req_9",
    )
    assert result.usage is not None
    assert result.estimated
    assert 150 < result.usage.output_tokens < 500


def test_the_input_of_a_stream_broken_off_amid_server_tools_is_not_exact():
    assert not metered([start(), block("server_tool_use", name="web_search")]).input_exact
    assert metered([start(), block("server_tool_use", name="web_search"), *end(9)]).input_exact


def test_a_proxy_that_opens_with_zeros_leaves_the_input_unknown():
    assert not metered([start({"input_tokens": 0, "output_tokens": 0})]).input_exact


def test_a_stop_reason_without_final_counts_is_an_estimate():
    result = metered([start(), event("message_delta", delta={"stop_reason": "end_turn"})])
    assert (result.complete, result.estimated, result.stop_reason) == (False, True, "end_turn")


def test_events_whose_name_a_proxy_dropped_are_known_by_their_type():
    named = [start(), delta("text_delta", text="hi"), *end(90)]
    assert metered([Event("message", each.data) for each in named]) == metered(named)


def test_unknown_events_and_deltas_pass():
    strange = [
        Event("tomorrow", b"not json"),
        delta("new_delta", novelty=[1]),
        delta("text_delta", text=None),
    ]
    assert metered([start(), *strange, *end(90)]) == metered([start(), *end(90)])


def test_a_lone_surrogate_in_a_delta_is_counted():
    meter = Meter()
    meter.feed(Event("content_block_delta", b'{"delta":{"type":"text_delta","text":"a\\ud83d"}}'))
    assert meter.seen.text == 2


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (Event("message_start", b"{"), "message_start"),
        (event("message_start", message={"id": "m"}), "usage"),
        (start({"input_tokens": -1}), "usage.input_tokens"),
        (event("message_delta", delta={}, usage={"output_tokens": 3}), "before message_start"),
        (Event("content_block_delta", b'{"delta"'), "content_block_delta"),
    ],
)
def test_an_unreadable_event_is_refused_by_name(broken: Event, says: str):
    with pytest.raises(ResponseError, match=says):
        Meter().feed(broken)


def test_an_unreadable_event_leaves_what_was_known():
    meter = Meter()
    meter.feed(start())
    with pytest.raises(ResponseError):
        meter.feed(Event("message_delta", b"{"))
    usage = meter.finish().usage
    assert usage is not None
    assert usage.total_input == 6_020


deltas = st.one_of(
    st.builds(lambda t: delta("text_delta", text=t), st.text()),
    st.builds(lambda t: delta("thinking_delta", thinking=t), st.text()),
    st.builds(lambda t: delta("input_json_delta", partial_json=t), st.text()),
)


@given(st.lists(deltas), st.integers(0, 10**6))
def test_a_final_count_beats_every_estimate_and_more_output_never_costs_less(
    events: list[Event], output: int
):
    estimates = []
    for length in range(len(events) + 1):
        usage = metered([start(), *events[:length]]).usage
        assert usage is not None
        estimates.append(usage.output_tokens)
    assert estimates == sorted(estimates)
    final = metered([start(), *events, *end(output)]).usage
    assert final is not None
    assert final.output_tokens == output


def test_a_long_stream_leaves_no_content_behind():
    meter = Meter()
    meter.feed(start())
    piece = delta("text_delta", text="x" * 10_000)
    for _ in range(1_000):
        meter.feed(piece)
    kept = [value for value in vars(meter).values() if isinstance(value, (str, bytes, list, dict))]
    assert sum(sys.getsizeof(value) for value in kept) < 1_000
    assert meter.seen.text == 10_000_000


def test_a_stream_cut_while_the_model_thinks_unseen_says_that_its_output_is_not_known():
    began = [start(), block("thinking", thinking="")]
    assert metered(began).hidden
    assert not metered([*began, delta("signature_delta", signature="x" * 900)]).hidden
    assert not metered([*began, delta("thinking_delta", thinking="Let me see.")]).hidden
    assert not metered([*began, block("text", text="")]).hidden
    assert not metered([*began, *end(900)]).hidden


def test_what_the_provider_took_out_of_the_prompt_is_told():
    edits = [
        {"type": "clear_thinking_20251015", "cleared_thinking_turns": 2, "cleared_input_tokens": 9},
        {"type": "clear_tool_uses_20250919", "cleared_tool_uses": 7, "cleared_input_tokens": 90},
    ]
    told = {"clear_thinking_20251015": 2, "clear_tool_uses_20250919": 7}
    message = {"usage": START_USAGE, "context_management": {"applied_edits": edits}}
    assert meter_response(message).edited == told
    assert meter_response(json.dumps(message).encode()).edited == told
    last = event(
        "message_delta",
        delta={"stop_reason": "end_turn"},
        usage={"output_tokens": 5},
        context_management={"applied_edits": edits},
    )
    assert metered([start(), last]).edited == told


@pytest.mark.parametrize("said", [None, 3, {}, {"applied_edits": None}, {"applied_edits": "all"}])
def test_nothing_is_told_of_edits_where_nothing_is_said(said):
    assert meter_response({"usage": START_USAGE, "context_management": said}).edited is None
    assert (
        meter_response({"usage": START_USAGE, "context_management": {"applied_edits": [3, {}]}}).edited == {}
    )
