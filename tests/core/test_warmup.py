"""The request that only warms: a valid one, with the same prefix, and nothing behind it."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core.cache import CacheRules
from scrimp.core.prompt import Prompt, Reading, read_prompt
from scrimp.core.warmup import Sight, Unsuited, WarmUp, warm_up, warming_saves
from scrimp.facts.prices import Rates

LONG = "#" * 20
TOOLS = [{"name": "look", "description": LONG, "input_schema": {"type": "object"}}]
READING = Reading(key="model")
MARKER = {"type": "ephemeral"}


def read(body: Any) -> Prompt:
    return read_prompt(body, READING)


def letters(prompt: Prompt, position: int) -> int:
    return 10 * sum(str(block.value).count("#") for block in prompt.blocks[: position + 1])


SIGHT = Sight(read=read, most_tokens=letters, rules=CacheRules(lookback=20, minimum=100))


def request(**more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "What now?"}]
    return {"model": "m", "max_tokens": 500, "system": LONG, "messages": messages, **more}


def made(body: dict[str, Any], **options: Any) -> WarmUp:
    found = warm_up(body, SIGHT, **options)
    assert isinstance(found, WarmUp)
    whole = {**body, "messages": body.get("messages") or [{"role": "user", "content": "."}]}
    seen = read(found.body)
    assert found.prefix in read(whole).prefixes
    (last,) = [marker for marker in seen.markers if seen.prefixes[marker.position] == found.prefix]
    assert last.position == max(marker.position for marker in seen.markers)
    assert last.ttl == found.ttl
    return found


def why_not(body: dict[str, Any]) -> str:
    found = warm_up(body, SIGHT)
    assert isinstance(found, Unsuited)
    return found.why


def test_tools_and_system_are_warmed_without_the_question() -> None:
    found = made(request(tools=TOOLS, temperature=1))
    assert found.body["max_tokens"] == 0
    assert found.is_silent
    assert "What now?" not in str(found.body)
    assert found.body["system"] == [{"type": "text", "text": LONG, "cache_control": MARKER}]
    assert found.body["temperature"] == 1
    assert found.tokens == 400


def test_messages_may_be_left_out() -> None:
    body = request()
    del body["messages"], body["max_tokens"]
    assert made(body).body["messages"]


def test_what_is_refused_is_left_out_where_the_prefix_does_not_depend_on_it() -> None:
    found = made(
        request(
            tools=TOOLS,
            stream=True,
            thinking={"type": "enabled", "budget_tokens": 1024},
            tool_choice={"type": "any"},
            thread={"type": "create"},
            output_config={"effort": "low"},
        )
    )
    assert found.is_silent
    assert not {"stream", "thinking", "tool_choice", "thread"} & found.body.keys()
    assert found.body["output_config"] == {"effort": "low"}


def test_a_format_that_the_prefix_depends_on_is_answered_with_one_token() -> None:
    output = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    found = made(request(output_config=output))
    assert found.body["output_config"] == output
    assert found.body["max_tokens"] == 1
    tools_only = made(request(tools=TOOLS, system="", output_config=output))
    assert tools_only.body["output_config"] == {}
    assert tools_only.is_silent


def document(**more: Any) -> dict[str, Any]:
    blocks = [{"type": "text", "text": "#" * 30, **more}, {"type": "text", "text": "What now?"}]
    return request(messages=[{"role": "user", "content": blocks}], tool_choice={"type": "any"}, tools=TOOLS)


def test_the_marker_of_the_caller_says_what_is_stable() -> None:
    found = made(document(cache_control=MARKER))
    assert "What now?" not in str(found.body)
    assert found.tokens == 700
    assert found.body["tool_choice"] == {"type": "any"}
    assert found.body["max_tokens"] == 1


def test_without_tools_and_system_all_but_the_last_block_is_stable() -> None:
    body = document()
    del body["system"], body["tools"], body["tool_choice"]
    found = made(body)
    assert found.tokens == 300
    assert found.is_silent
    assert found.body["messages"][0]["content"] == [
        {"type": "text", "text": "#" * 30, "cache_control": MARKER}
    ]


def test_thinking_with_a_budget_leaves_messages_unwarmed() -> None:
    body = document(cache_control=MARKER) | {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    del body["tool_choice"]
    found = made(body)
    assert found.tokens == 400
    del body["system"], body["tools"]
    assert "thinking" in why_not(body)


def test_results_of_tool_calls_stay_together() -> None:
    call = [{"type": "tool_use", "id": "a", "name": "look", "input": {"at": LONG}, "cache_control": MARKER}]
    results = [{"type": "tool_result", "tool_use_id": "a", "content": "seen"}]
    turns = [
        {"role": "user", "content": "What now?"},
        {"role": "assistant", "content": call},
        {"role": "user", "content": results},
        {"role": "assistant", "content": "It is so."},
        {"role": "user", "content": "And now?"},
    ]
    found = made(request(tools=TOOLS, messages=turns))
    assert found.body["messages"] == turns[:3]
    results[0]["cache_control"] = MARKER
    results.append({"type": "tool_result", "tool_use_id": "b", "content": "seen"})
    assert made(request(tools=TOOLS, messages=turns)).body["messages"] == turns[:3]


def test_markers_behind_what_is_warmed_are_left_out() -> None:
    found = made(request(cache_control=MARKER))
    assert "cache_control" not in found.body


@pytest.mark.parametrize(
    ("ttl", "control"), [("1h", {**MARKER, "ttl": "1h"}), ("5m", MARKER), (None, MARKER)]
)
def test_it_lives_as_long_as_is_asked(ttl: Any, control: dict[str, str]) -> None:
    marked = [{**TOOLS[0], "cache_control": MARKER}]
    system = [{"type": "text", "text": LONG, "cache_control": MARKER}]
    found = made(request(tools=marked, system=system), ttl=ttl)
    assert (found.ttl, found.body["system"][0]["cache_control"]) == (ttl or "5m", control)
    assert found.body["tools"][0]["cache_control"] == control


def test_what_is_too_short_is_not_warmed() -> None:
    body = request(system="#" * 9)
    assert why_not(body) == "its stable part has 90 tokens at most, and 100 is the least that is cached"
    no_cache = Sight(read=read, most_tokens=letters, rules=CacheRules(20, 100, caches=False))
    assert isinstance(warm_up(request(), no_cache), Unsuited)


def test_warming_pays_from_two_calls_on() -> None:
    """Of 1,000 tokens at 100 p$: two writes for 5m are 250,000; one and two reads 145,000."""
    rates = Rates(input=100, write_5m=125, write_1h=200, read=10, output=500)
    assert warming_saves(1000, rates, "5m", 2) == 250_000 - 125_000 - 20_000
    assert warming_saves(1000, rates, "5m", 1) == -10_000
    assert warming_saves(1000, rates, "1h", 2) == 400_000 - 200_000 - 20_000
