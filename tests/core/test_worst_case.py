"""The most a request can cost: by hand, and never below what was really billed."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.bill import bill
from scrimp.core.prompt import Marker
from scrimp.core.worst_case import worst_case
from scrimp.core.worst_parts import PLAIN, are_plain
from scrimp.wire.request import message_blocks
from scrimp.wire.response import read_usage
from tests.core.worst_bodies import (
    ADDED,
    FACTS,
    MARK,
    MARK_1H,
    NOW,
    TEXT,
    USD_PER_MTOK,
    body,
    document,
    image,
    is_whole,
    worst,
)


def test_plain_input_and_all_of_the_output() -> None:
    asked = body()
    length = len(orjson.dumps(asked)) + ADDED
    found = worst(asked)
    assert (found.input_tokens, found.output_tokens, found.notes) == (length, 1000, ())
    assert found.amount == (length * 4 + 1000 * 20) * USD_PER_MTOK
    assert worst(asked, size=10_000).input_tokens == 11_500


@pytest.mark.parametrize(
    ("markers", "price"),
    [([], 4), ([Marker(0, "5m")], 5), ([Marker(0, "1h")], 8), ([Marker(0, "1h"), Marker(1, "5m")], 8)],
)
def test_everything_is_written_at_the_dearest_marker_that_goes_out(markers: list[Marker], price: int) -> None:
    found = worst(body(), markers=iter(markers), size=8_500)
    assert found.amount == (10_000 * price + 1000 * 20) * USD_PER_MTOK


@pytest.mark.parametrize("markers", [None, [], [Marker(0, "5m")]])
def test_the_caller_s_own_marker_counts_whatever_was_planned(markers: list[Marker] | None) -> None:
    """Where the API does not take the planned request, the caller's own goes out."""
    asked = body(cache_control={"type": "ephemeral", "ttl": "1h"})
    assert worst(asked, markers=markers, size=8_500).amount == (10_000 * 8 + 1000 * 20) * USD_PER_MTOK


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({"cache_control": MARK}, 5),
        ({"tools": [{"name": "a", "input_schema": {}, "cache_control": MARK}]}, 5),
        ({"system": [{**TEXT, "cache_control": MARK_1H}]}, 8),
        ({"messages": [{"role": "user", "content": [{**TEXT, "cache_control": MARK}]}]}, 5),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "tool_use_id": "t",
                                "content": [{**TEXT, "cache_control": MARK_1H}],
                            }
                        ],
                    }
                ]
            },
            8,
        ),
    ],
)
def test_the_caller_s_own_markers_are_found(fields: dict[str, Any], price: int) -> None:
    found = worst(body(**fields))
    assert found.amount == (found.input_tokens * price + 1000 * 20) * USD_PER_MTOK


def test_the_tier_is_that_of_the_longest_prompt() -> None:
    """Haiku 5.5: 0.10 and 0.50 dollars up to 100,000 tokens, five times that beyond, output included."""
    asked = body(model="claude-haiku-5-5")
    assert worst(asked, size=100_000 - ADDED).amount == (100_000 * 10 + 1000 * 50) * USD_PER_MTOK // 100
    assert worst(asked, size=100_001 - ADDED).amount == (100_001 * 50 + 1000 * 250) * USD_PER_MTOK // 100


def test_no_prompt_is_longer_than_the_window() -> None:
    assert worst(body(), size=50_000_000).input_tokens == 1_000_000
    assert worst(body(model="claude-haiku-4-5"), size=50_000_000).input_tokens == 200_000
    assert worst(body(model="claude-haiku-4-5[1m]"), size=50_000_000).input_tokens == 1_000_000
    assert worst(body(model="claude-of-tomorrow"), size=50_000_000).input_tokens == 1_000_000


def test_a_region_that_may_apply_counts() -> None:
    asked = {name: value for name, value in body().items() if name != "inference_geo"}
    assert worst(asked, size=8_500).amount == (10_000 * 4 + 1000 * 20) * USD_PER_MTOK * 11 // 10


def test_fast_mode_has_its_own_price() -> None:
    assert worst(body(speed="fast"), size=8_500).amount == (10_000 * 8 + 1000 * 40) * USD_PER_MTOK


@pytest.mark.parametrize("max_tokens", [None, -5, "many", 1.5, True])
def test_without_a_number_the_model_s_own_maximum_holds(max_tokens: Any) -> None:
    assert worst(body(max_tokens=max_tokens)).output_tokens == 128_000


def test_no_number_in_a_request_is_too_large() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 10**400}]
    found = worst(body(max_tokens=10**400, tools=tools))
    assert found.output_tokens == 1_000_000
    assert found.amount < 10**25


def test_an_image_is_at_most_what_an_image_can_be() -> None:
    with_images = body(messages=[{"role": "user", "content": [image("A" * 500_000), image("B")]}])
    length = len(orjson.dumps(with_images)) - 500_001
    assert worst(with_images).input_tokens == length + 2 * 4784 + ADDED
    nested = {"type": "tool_result", "tool_use_id": "t", "content": [image("A" * 500_000)]}
    asked = body(model="claude-haiku-4-5", messages=[{"role": "user", "content": [nested]}])
    assert worst(asked).input_tokens == len(orjson.dumps(asked)) - 500_000 + 1568 + ADDED


@pytest.mark.parametrize(
    "fields",
    [
        document(type="base64", media_type="application/pdf", data="JVBE"),
        document(type="url", url="https://example.com/a.pdf"),
        document(type="file", file_id="file_1"),
        {"thread": {"type": "continue", "previous_message_id": "msg_1"}},
        {"container": {"skills": [{"type": "anthropic", "skill_id": "pptx"}]}},
    ],
)
def test_what_cannot_be_seen_is_the_whole_window(fields: dict[str, Any]) -> None:
    found = worst(body(**fields))
    assert found.input_tokens == 1_000_000
    [note] = found.notes
    assert note


@pytest.mark.parametrize(
    "fields",
    [
        document(type="text", media_type="text/plain", data="some text"),
        document(type="content", content=[TEXT]),
        document(type="content", content="some text"),
        {"thread": {"type": "create"}},
        {"container": "container_1"},
    ],
)
def test_what_can_be_seen_is_bounded_by_its_bytes(fields: dict[str, Any]) -> None:
    asked = body(**fields)
    assert worst(asked).input_tokens == len(orjson.dumps(asked)) + ADDED


def test_a_server_tool_samples_again_with_what_it_found() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]
    found = worst(body(tools=tools))
    first = len(orjson.dumps(body(tools=tools))) + ADDED + 100 + 2 * 2250
    assert found.input_tokens == first + 3 * 1_000_000
    fees = 3 * 10**10  # 10 dollars a thousand
    assert found.amount == (found.input_tokens * 4 + 1000 * 20) * USD_PER_MTOK + fees
    assert "max_uses" in found.notes[0]


def test_a_bounded_fetch_is_bounded() -> None:
    tools = [
        {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 2, "max_content_tokens": 5000},
    ]
    found = worst(body(tools=tools))
    first = len(orjson.dumps(body(tools=tools))) + ADDED + 100 + 2 * 650
    assert found.input_tokens == first + 2 * (first + 1000 + 10_000)


def test_searching_without_end_is_sampled_as_often_as_the_api_does() -> None:
    found = worst(body(tools=[{"type": "web_search_20250305", "name": "web_search"}]))
    assert found.input_tokens > 10 * 1_000_000
    assert found.input_tokens < 10 * 1_000_000 + 10_000


def test_a_tool_of_the_caller_s_is_no_server_tool() -> None:
    tools = [{"name": "web_search", "input_schema": {"type": "object"}}]
    assert worst(body(tools=tools)).input_tokens == len(orjson.dumps(body(tools=tools))) + ADDED + 100


def compacting(**trigger: Any) -> dict[str, Any]:
    return {"context_management": {"edits": [{"type": "compact_20260112", **trigger}]}}


def test_compaction_reads_the_prompt_again_and_writes_a_summary() -> None:
    asked = body(**compacting(trigger={"type": "input_tokens", "value": 50_000}))
    below, above = worst(asked, size=50_000 - ADDED), worst(asked, size=50_001 - ADDED)
    assert (below.input_tokens, below.output_tokens) == (50_000, 1000)
    assert (above.input_tokens, above.output_tokens) == (2 * 50_001, 1000 + 128_000)
    assert worst(body(**compacting()), size=150_000 - ADDED).output_tokens == 1000
    on_demand = worst(body(compaction={"type": "summarize"}), size=8_500)
    assert (on_demand.input_tokens, on_demand.output_tokens) == (10_000, 128_000)


def test_every_fallback_may_be_billed() -> None:
    asked = body(fallbacks=[{"model": "claude-opus-4-8"}])
    expected = (10_000 * 4 + 1000 * 20) + (10_000 * 5 + 1000 * 25)
    assert worst(asked, size=8_500).amount == expected * USD_PER_MTOK
    default_one = worst(body(fallbacks="default"), size=8_500)
    assert default_one.amount >= ((10_000 * 4 + 1000 * 20) + (10_000 * 10 + 1000 * 50)) * USD_PER_MTOK


def test_a_fallback_may_search_as_often_again() -> None:
    asked = body(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}])
    again = asked | {"fallbacks": [{"model": "claude-opus-5-5"}]}
    assert worst(again, size=8_500).amount == 2 * worst(asked, size=8_500).amount


def test_an_advisor_reads_up_to_its_window() -> None:
    advisor = {
        "type": "advisor_20260301",
        "name": "advisor",
        "model": "claude-opus-4-8",
        "max_uses": 2,
        "max_tokens": 2048,
    }
    found = worst(body(tools=[advisor]))
    assert found.amount >= 2 * (1_000_000 * 5 + 2048 * 25) * USD_PER_MTOK


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = [
    "system", "tools", "messages", "thread", "container", "mcp_servers", "fallbacks", "context_management",
    "compaction", "max_tokens", "speed", "inference_geo", "cache_control", "output_config",
]  # fmt: skip
_kinds = st.sampled_from(["text", "image", "document", "tool_result", "web_search_20250305", "mcp_toolset"])


@given(
    fields=st.dictionaries(st.sampled_from(_FIELDS), _json, max_size=5),
    blocks=st.lists(st.fixed_dictionaries({"type": _kinds, "content": _json, "source": _json}), max_size=4),
)
def test_malformed_requests_have_a_bound_too(fields: dict[str, Any], blocks: list[Any]) -> None:
    asked = {**body(messages=[{"role": "user", "content": blocks}], tools=blocks), **fields}
    found = worst(asked)
    assert found.amount >= found.input_tokens * 4 * USD_PER_MTOK
    assert type(found.amount) is int


_plain = st.sampled_from(
    ["text", "tool_use", "thinking", "tool_result", "image", "search_result", "document"]
)
_markers = st.sampled_from([{}, {}, {}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}])
_inner: Any = st.builds(lambda kind, marker: {"type": kind, "text": "x", **marker}, _plain, _markers)
_contents: Any = st.one_of(st.none(), st.text(max_size=3), st.lists(_inner, max_size=2), _inner)
_blocks: Any = st.builds(
    lambda kind, content, marker: {"type": kind, "text": "said", "content": content, **marker},
    *(_plain, _contents, _markers),
)


@given(st.lists(st.one_of(st.text(max_size=3), st.lists(_blocks, max_size=3)), min_size=1, max_size=4))
def test_nobody_need_look_at_plain_messages(contents: list[Any]) -> None:
    asked = body(messages=[{"role": "user", "content": content} for content in contents])
    if are_plain(message_blocks(asked["messages"])):
        model = FACTS.resolve(asked["model"])
        assert worst_case(asked, model, facts=FACTS, at=NOW, messages=PLAIN) == worst(asked)


def test_messages_of_an_agent_are_plain() -> None:
    use = {"type": "tool_use", "id": "a", "name": "read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "found"}]}
    said = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    assert are_plain(message_blocks([{"role": "user", "content": "look"}, *said]))
    for strange in (
        {**use, "cache_control": MARK},
        {**result, "content": {"type": "image"}},
        {"type": "image"},
    ):
        assert not are_plain(message_blocks([*said, {"role": "user", "content": [strange]}]))


@given(texts=st.lists(st.text(min_size=1), min_size=1, max_size=5), more=st.text(min_size=1))
def test_more_text_is_never_cheaper(texts: list[str], more: str) -> None:
    def asking(said: list[str]) -> int:
        content = [{"type": "text", "text": text.encode("utf-8", "replace").decode()} for text in said]
        return worst(body(messages=[{"role": "user", "content": content}])).amount

    assert asking([*texts, more]) > asking(texts)


def test_no_recorded_bill_was_ever_above(traces: Path) -> None:
    calls = 0
    below = []
    for path in sorted((traces / "exchanges").glob("*/*.jsonl.xz")):
        for exchange in map(orjson.loads, lzma.decompress(path.read_bytes()).splitlines()):
            asked, usage = exchange["request"].get("body"), exchange.get("usage")
            if not is_whole(exchange, asked, usage):
                continue
            name = asked.get("model") or exchange["request"]["url"].partition("/model/")[2]
            model = FACTS.resolve(name.removesuffix("/invoke"))
            made = bill(read_usage(usage), model, at=NOW, facts=FACTS)
            calls += 1
            if worst_case(asked, model, facts=FACTS, at=NOW).amount < made.total:
                below.append((path.name, exchange["run"], exchange["seq"]))
    assert calls > 3_000
    assert below == []
