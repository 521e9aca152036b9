"""Usage and responses: what the API bills is read exactly, and nonsense is refused by name."""

from __future__ import annotations

import json
import lzma
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.errors import ResponseError
from scrimp.wire.response import CacheCreation, Usage, read_response, read_usage

if TYPE_CHECKING:
    from pathlib import Path

# The shape of the Messages API reference, with every part told.
FULL = {
    "input_tokens": 200,
    "output_tokens": 500,
    "cache_creation_input_tokens": 15_000,
    "cache_read_input_tokens": 7_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 5_000, "ephemeral_1h_input_tokens": 10_000},
    "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
    "output_tokens_details": {"thinking_tokens": 120},
    "service_tier": "standard",
    "speed": "fast",
    "inference_geo": "us",
    "fallback_credit": {"status": {"type": "redeemed"}},
    "iterations": [
        {
            "type": "compaction",
            "input_tokens": 100,
            "output_tokens": 82,
            "cache_creation_input_tokens": 55_096,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 55_096, "ephemeral_1h_input_tokens": 0},
        },
        {
            "type": "advisor_message",
            "model": "claude-fable-5",
            "input_tokens": 2_564,
            "output_tokens": 99,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    ],
}


def recorded(traces: Path) -> list[dict[str, Any]]:
    """Every recorded exchange, without its request."""
    found = []
    for path in sorted(traces.glob("exchanges/*/*.jsonl.xz")):
        with lzma.open(path, "rt") as lines:
            for line in lines:
                exchange = json.loads(line)
                del exchange["request"]
                found.append(exchange)
    return found


@pytest.fixture(scope="module")
def exchanges(traces: Path) -> list[dict[str, Any]]:
    return recorded(traces)


def test_every_part_of_a_usage_is_read():
    usage = read_usage(FULL)
    assert usage.total_input == 200 + 15_000 + 7_000
    assert (usage.write_5m, usage.write_1h, usage.split_known) == (5_000, 10_000, True)
    assert usage.reports_cache
    assert usage.output_tokens == 500
    assert usage.server_tool_use is not None
    assert usage.server_tool_use.web_search_requests == 3
    assert usage.server_tool_use.web_fetch_requests == 1
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 120
    assert (usage.service_tier, usage.speed, usage.inference_geo) == ("standard", "fast", "us")
    assert usage.fallback_credit == "redeemed"


def test_iterations_keep_type_model_counts_and_split():
    compaction, advisor = read_usage(FULL).iterations or ()
    assert (compaction.type, compaction.model, compaction.total_input) == ("compaction", None, 55_196)
    assert (compaction.write_5m, compaction.write_1h, compaction.in_total) == (55_096, 0, False)
    assert (advisor.type, advisor.model, advisor.output_tokens) == ("advisor_message", "claude-fable-5", 99)


def test_writes_without_a_split_count_as_five_minutes():
    usage = read_usage({"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 40})
    assert (usage.write_5m, usage.write_1h, usage.split_known) == (40, 0, False)


def test_tokens_beyond_the_split_count_as_five_minutes():
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30}
    usage = read_usage({"input_tokens": 1, "cache_creation_input_tokens": 40, "cache_creation": split})
    assert (usage.write_5m, usage.write_1h, usage.split_known) == (10, 30, False)


def test_absent_and_null_cache_fields_are_not_reported_rather_than_zero():
    assert not read_usage({"input_tokens": 5, "output_tokens": 2}).reports_cache
    assert not read_usage({"input_tokens": 5, "cache_read_input_tokens": None}).reports_cache
    assert read_usage({"input_tokens": 5, "cache_read_input_tokens": 0}).reports_cache


def test_nulls_are_absent_and_unknown_fields_are_ignored():
    nulls = dict.fromkeys(FULL)
    assert read_usage({**nulls, "input_tokens": 3, "tomorrow": {"x": 1}}) == read_usage({"input_tokens": 3})


def test_a_bedrock_converse_usage_with_lifetimes():
    usage = read_usage(
        {
            "cacheDetails": [{"inputTokens": 7_000, "ttl": "5m"}, {"inputTokens": 351, "ttl": "1h"}],
            "cacheReadInputTokenCount": 20,
            "cacheReadInputTokens": 20,
            "cacheWriteInputTokenCount": 7_351,
            "cacheWriteInputTokens": 7_351,
            "inputTokens": 10,
            "outputTokens": 4,
            "serverToolUsage": {},
            "totalTokens": 7_385,
        }
    )
    assert (usage.total_input, usage.output_tokens) == (7_381, 4)
    assert (usage.write_5m, usage.write_1h, usage.cache_read_input_tokens) == (7_000, 351, 20)
    assert usage.reports_cache
    assert usage.split_known


def test_a_bedrock_converse_usage_without_cache_fields():
    usage = read_usage({"inputTokens": 629, "outputTokens": 85, "totalTokens": 714})
    assert (usage.total_input, usage.output_tokens, usage.reports_cache) == (629, 85, False)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"input_tokens": -1}, "usage.input_tokens"),
        ({"output_tokens": True}, "usage.output_tokens"),
        ({"cache_read_input_tokens": "12"}, "usage.cache_read_input_tokens"),
        ({"input_tokens": 1.5}, "usage.input_tokens"),
        ({"cache_creation": [1]}, "usage.cache_creation"),
        ({"cache_creation": {"ephemeral_1h_input_tokens": -3}}, "ephemeral_1h_input_tokens"),
        ({"server_tool_use": {"web_search_requests": None, "web_fetch_requests": {}}}, "web_fetch_requests"),
        ({"iterations": {}}, "usage.iterations"),
        ({"iterations": [3]}, "usage.iterations[0]"),
        ({"iterations": [{"type": "message", "input_tokens": "9"}]}, "usage.iterations[0].input_tokens"),
        ({"service_tier": 4}, "usage.service_tier"),
        ({"inputTokens": -4}, "usage.inputTokens"),
    ],
)
def test_a_wrong_field_is_refused_by_name(wrong: dict[str, Any], field: str):
    with pytest.raises(ResponseError) as refused:
        read_usage(wrong)
    assert field in str(refused.value)
    assert "\n" not in str(refused.value)


counts = st.integers(0, 10**7)
COUNTED = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
deltas = st.lists(st.dictionaries(st.sampled_from(COUNTED), counts | st.none()), max_size=5)


@given(deltas)
def test_later_counts_overwrite_and_never_add(told: list[dict[str, int | None]]):
    first = dict.fromkeys(COUNTED, 7)
    expected, usage = dict(first), read_usage(first)
    for delta in told:
        expected |= {name: count for name, count in delta.items() if count is not None}
        usage = usage.merged(delta)
    assert {name: getattr(usage, name) for name in COUNTED} == expected


def test_what_a_message_delta_lacks_stays():
    merged = read_usage(FULL).merged({"output_tokens": 900, "server_tool_use": {"web_search_requests": 4}})
    assert merged.output_tokens == 900
    assert merged.cache_creation == CacheCreation(5_000, 10_000)
    assert (merged.service_tier, merged.speed, merged.inference_geo) == ("standard", "fast", "us")
    assert merged.server_tool_use is not None
    assert merged.server_tool_use.web_search_requests == 4
    assert merged.reports_cache


def test_merging_keeps_unreported_cache_fields_unreported():
    start = read_usage({"input_tokens": 9, "output_tokens": 1})
    assert not start.merged({"output_tokens": 40}).reports_cache
    assert start.merged({"output_tokens": 40, "cache_read_input_tokens": 0}).reports_cache


def test_a_compaction_written_at_the_start_leaves_the_final_split_to_the_answer():
    # Recorded behaviour: message_start counts the compaction's writes, message_delta no longer does.
    start = read_usage(
        {
            "input_tokens": 100,
            "output_tokens": 5,
            "cache_creation_input_tokens": 55_096,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 55_096},
        }
    )
    answer = {
        "type": "message",
        "input_tokens": 172,
        "output_tokens": 5,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0},
    }
    final = {"input_tokens": 172, "output_tokens": 5, "cache_creation_input_tokens": 300}
    merged = start.merged({**final, "iterations": [{**answer, "type": "compaction"}, answer]})
    assert (merged.write_5m, merged.write_1h, merged.split_known) == (300, 0, True)
    unexplained = start.merged(final)
    assert (unexplained.write_5m, unexplained.write_1h, unexplained.split_known) == (300, 0, False)
    assert start.merged({**final, "cache_creation_input_tokens": 0}).write_1h == 0


def test_writes_added_during_a_stream_are_five_minute_ones():
    start = read_usage(
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 1_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1_000},
        }
    )
    grown = start.merged({"output_tokens": 3, "cache_creation_input_tokens": 1_400})
    assert (grown.write_5m, grown.write_1h) == (400, 1_000)


def test_a_response_keeps_its_bytes_and_every_field():
    raw = (
        b'{"id":"msg_1","type":"message","model":"claude-opus-5-5","stop_reason":"tool_use","new":[1],\n'
        b'"content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":3,"output_tokens":2,"other":0}}'
    )
    response = read_response(raw)
    assert response.raw is raw
    assert response.body["new"] == [1]
    assert response.body["usage"]["other"] == 0
    assert (response.id, response.model, response.stop_reason) == ("msg_1", "claude-opus-5-5", "tool_use")
    assert response.content == [{"type": "text", "text": "hi"}]
    assert response.usage == Usage(input_tokens=3, output_tokens=2, reports_cache=False)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "not JSON"),
        (b"[1]", "list"),
        (b'{"type":"error","error":{"type":"api_error"}}', "error body"),
        (b'{"type":"message","content":[]}', "usage"),
        (b'{"type":"message","usage":{"output_tokens":3}}', "input_tokens"),
        (b'{"id":4,"usage":{"input_tokens":3}}', "response.id"),
    ],
)
def test_a_body_that_cannot_be_metered_says_why(body: bytes, says: str):
    with pytest.raises(ResponseError, match=says):
        read_response(body)


def test_a_body_with_a_lone_surrogate_and_a_huge_number_is_still_metered():
    response = read_response(b'{"content":["\\ud83d",1e999],"usage":{"input_tokens":3,"output_tokens":2}}')
    assert response.usage.total_input == 3
    assert response.content == []


def test_every_recorded_usage_reads_and_sums(exchanges: list[dict[str, Any]]):
    assert len(exchanges) > 4_000
    for exchange in exchanges:
        told = exchange["usage"] or {}
        usage = read_usage(told)
        if "totalTokens" in told:
            assert usage.total_input + usage.output_tokens == told["totalTokens"]
        elif "inputTokens" not in told:
            names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
            assert usage.total_input == sum(told.get(name) or 0 for name in names)
            assert usage.output_tokens == told.get("output_tokens", 0)
            assert usage.write_5m + usage.write_1h == told.get("cache_creation_input_tokens", 0)


def test_every_recorded_message_reads_as_a_response(exchanges: list[dict[str, Any]]):
    answers = [e["response"]["body"] for e in exchanges if e.get("kind", "messages") == "messages"]
    assert len(answers) > 3_000
    for body in answers:
        response = read_response(body)
        assert response.stop_reason == body["stop_reason"]
        assert response.usage.total_input > 0


def test_recorded_streams_open_with_the_input_they_end_with(exchanges: list[dict[str, Any]]):
    """Only inner samplings (tools the provider runs, compaction) and proxies change input during a stream."""
    streams = [e["response"] for e in exchanges if e["response"].get("usage_message_start")]
    assert len(streams) > 600
    grown = 0
    for response in streams:
        start, final = read_usage(response["usage_message_start"]), read_usage(response["body"]["usage"])
        kinds = {block["type"] for block in response["body"]["content"]}
        if start.total_input == 0 or any(kind.endswith(("_tool_result", "compaction")) for kind in kinds):
            grown += start.total_input != final.total_input
        else:
            assert start.total_input == final.total_input
            assert (start.write_5m, start.write_1h) == (final.write_5m, final.write_1h)
    assert grown > 0


def test_recorded_starts_merged_with_what_a_delta_tells_give_the_final_usage(exchanges: list[dict[str, Any]]):
    for exchange in exchanges:
        start = exchange["response"].get("usage_message_start")
        if not start:
            continue
        final = dict(exchange["usage"])
        delta = {
            name: value for name, value in final.items() if name not in ("service_tier", "inference_geo")
        }
        if start.get("cache_creation"):
            del delta["cache_creation"]
        assert read_usage(start).merged(delta) == read_usage(final)
