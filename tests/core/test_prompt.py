"""Digests: equal exactly when the provider's cache would find the same prefix."""

from __future__ import annotations

import copy
import json
from hashlib import blake2b
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.prompt import Marker, Prompt, Reading, read_prompt

READING = Reading(key="claude-opus-5-5", default_effort="medium")

BODY: dict[str, Any] = {
    "tools": [{"name": "ls", "description": "list", "input_schema": {"type": "object", "properties": {}}}],
    "system": [{"type": "text", "text": "be brief"}],
    "messages": [
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "ls", "input": {"a": 1, "b": 2}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x.py"}]},
    ],
}


def read(body: dict[str, Any], reading: Reading = READING) -> Prompt:
    return read_prompt(body, reading)


def changed(**fields: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BODY), **fields}


def shared_positions(one: Prompt, other: Prompt) -> int:
    """How many leading positions have the same prefix."""
    pairs = zip(one.prefixes, other.prefixes, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def test_markers_do_not_change_digests() -> None:
    marked = copy.deepcopy(BODY)
    marked["system"][0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    marked["messages"][2]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert read(marked).prefixes == read(BODY).prefixes
    assert read(marked).markers == (Marker(1, "1h"), Marker(4, "5m"))


def test_string_content_and_one_text_block_are_the_same_prompt() -> None:
    blocks = changed(system="be brief")
    blocks["messages"][0]["content"] = [{"text": "hello", "type": "text", "citations": None}]
    assert read(blocks).prefixes == read(BODY).prefixes


def test_key_order_of_a_block_is_nothing_but_that_of_an_input_is_something() -> None:
    shuffled = copy.deepcopy(BODY)
    shuffled["messages"][1]["content"][0] = {
        "name": "ls",
        "input": {"a": 1, "b": 2},
        "id": "t1",
        "type": "tool_use",
    }
    assert read(shuffled).prefixes == read(BODY).prefixes
    shuffled["messages"][1]["content"][0]["input"] = {"b": 2, "a": 1}
    assert shared_positions(read(shuffled), read(BODY)) == 3


def test_merging_turns_of_one_role_does_not_change_the_prompt() -> None:
    apart = {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}
    merged = {"messages": [{"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}]}
    assert read(apart).prefixes == read(merged).prefixes


TOOLS, SYSTEM = 1, 2  # positions shared when that tier alone survives


@pytest.mark.parametrize(
    ("fields", "survives"),
    [
        # "What invalidates the cache", row by row.
        ({"tools": [{"name": "ls", "description": "other", "input_schema": {}}]}, 0),
        ({"speed": "fast"}, TOOLS),
        ({"system": [{"type": "text", "text": "be verbose"}]}, TOOLS),
        ({"tool_choice": {"type": "any"}}, SYSTEM),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, SYSTEM),
        ({"thinking": {"type": "adaptive"}}, SYSTEM),
        ({"output_config": {"effort": "low"}}, SYSTEM),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 9}}}, SYSTEM),
        # What means the default changes nothing.
        ({"output_config": {"effort": "medium"}}, 5),
        ({"tool_choice": {"type": "auto"}}, 5),
        ({"thinking": {"type": "disabled"}}, 5),
        ({"speed": "standard"}, 5),
        ({"max_tokens": 7, "temperature": 0.2, "metadata": {"user_id": "u"}, "stream": True}, 5),
    ],
)
def test_what_a_change_of_a_parameter_invalidates(fields: dict[str, Any], survives: int) -> None:
    assert shared_positions(read(changed(**fields)), read(BODY)) == survives


def test_toggling_web_search_keeps_the_tools_and_breaks_the_system() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    with_search = changed(tools=[*BODY["tools"], search])
    assert read(with_search).prefixes[0] == read(BODY).prefixes[0]
    assert read(with_search).prefixes[2] != read(BODY).prefixes[1]


@pytest.mark.parametrize(("breaks", "survives"), [(False, 5), (True, SYSTEM)])
def test_a_first_image_breaks_the_messages_where_the_rules_say_so(*, breaks: bool, survives: int) -> None:
    reading = Reading(key="m", images_break_messages=breaks)
    body = copy.deepcopy(BODY)
    body["messages"].append(
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}
    )
    assert shared_positions(read(body, reading), read(BODY, reading)) == survives


def test_another_model_shares_nothing() -> None:
    other = read_prompt(BODY, Reading(key="claude-sonnet-5-5"))
    assert shared_positions(other, read(BODY)) == 0


def test_older_models_never_see_thinking_of_earlier_turns() -> None:
    old = Reading(key="old", strips_thinking=True)
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "1"}]},
    ]
    asked_again = {"messages": [*turns, {"role": "user", "content": "two"}]}
    assert [block.kind for block in read(asked_again, old).blocks] == ["text", "text", "text"]
    assert [block.kind for block in read(asked_again).blocks] == ["text", "thinking", "text", "text"]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}
    assert [b.kind for b in read({"messages": [*turns, result]}, old).blocks][1] == "thinking"


def test_a_request_can_ask_older_models_to_keep_their_thinking() -> None:
    old = Reading(key="old", strips_thinking=True)
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "1"}]},
        {"role": "user", "content": "two"},
    ]
    edit = {"type": "clear_thinking_20251015", "keep": "all"}
    kept = read({"messages": messages, "context_management": {"edits": [edit]}}, old)
    assert [block.kind for block in kept.blocks] == ["text", "thinking", "text", "text"]
    last = {**edit, "keep": {"type": "thinking_turns", "value": 1}}
    assert len(read({"messages": messages, "context_management": {"edits": [last]}}, old)) == 3


def test_automatic_caching_marks_the_last_block_that_can_carry_a_marker() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    body = changed(cache_control={"type": "ephemeral"})
    body["messages"].append({"role": "assistant", "content": [{"type": "text", "text": "so"}, thought]})
    assert read(body).markers == (Marker(5, "5m", automatic=True),)
    body["messages"][-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert read(body).markers == (Marker(5, "5m"),)


def test_nested_blocks_have_prefixes_of_their_own_but_no_rank() -> None:
    nested = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    body = copy.deepcopy(BODY)
    body["messages"][2]["content"][0]["content"] = nested
    prompt = read(body)
    assert prompt.ranks == (0, 1, 2, 3, 4, 4, 4)
    assert len(set(prompt.prefixes)) == len(prompt)
    assert read_prompt(body, Reading(key="k", nested_positions=True)).ranks == (0, 1, 2, 3, 4, 5, 6)
    assert list(prompt.window(6, 2)) == [6, 5, 4, 3]


@given(
    st.sampled_from(["tool_use", "tool_result"]),
    st.dictionaries(
        st.sampled_from(["id", "input", "name", "content", "tool_use_id", "is_error", "cache_control"]),
        st.sampled_from(["a", "", 1, None, True, {"a": 1}, {"ttl": "1h"}]),
    ),
    st.randoms(use_true_random=False),
)
def test_a_digest_is_that_of_the_fields_in_order(kind: str, fields: dict[str, Any], random: Random) -> None:
    pairs = [*{"type": kind, **fields}.items()]
    random.shuffle(pairs)
    said = [[key, value] for key, value in sorted(pairs) if key != "cache_control" and value is not None]
    expected = json.dumps(said, separators=(",", ":")).encode()
    body = {"messages": [{"role": "user", "content": [dict(pairs)]}]}
    assert read(body).digests == (blake2b(kind.encode() + b"\1" + expected, digest_size=16).digest(),)


def test_values_that_no_json_library_likes_still_have_a_digest() -> None:
    huge = changed()
    huge["messages"][1]["content"][0]["input"] = {"n": 10**40, "s": "\ud800"}
    other = copy.deepcopy(huge)
    other["messages"][1]["content"][0]["input"]["n"] += 1
    assert shared_positions(read(huge), read(other)) == 3


@given(st.lists(st.text(max_size=8), min_size=1, max_size=8), st.integers(0, 7), st.text(max_size=8))
def test_a_prefix_is_shared_up_to_the_first_difference(texts: list[str], place: int, text: str) -> None:
    place %= len(texts)
    other = [*texts[:place], text, *texts[place + 1 :]]

    def prompt(parts: list[str]) -> Prompt:
        return read({"messages": [{"role": "user", "content": [{"type": "text", "text": p} for p in parts]}]})

    expected = len(texts) if text == texts[place] else place
    assert shared_positions(prompt(texts), prompt(other)) == expected


@pytest.mark.parametrize(
    ("first", "marked", "kept"),
    [
        ("x-anthropic-billing-header: cc_version=2.1.63; cch=a1;", False, False),
        ("x-anthropic-billing-header: cc_version=2.1.63; cch=a1;", True, True),
        ("You bill customers.", False, True),
    ],
)
def test_a_clients_billing_line_is_no_part_of_the_prompt(first: str, *, marked: bool, kept: bool) -> None:
    line: dict[str, Any] = {"type": "text", "text": first}
    if marked:
        line["cache_control"] = {"type": "ephemeral"}
    body = {"system": [line, {"type": "text", "text": "You are an agent."}], "messages": []}
    paths = [block.path for block in read_prompt(body, Reading(key="model")).blocks]
    assert paths == [("system", 0), ("system", 1)][0 if kept else 1 :]
