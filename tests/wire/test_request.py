"""Requests as blocks in render order, and marker edits that leave everything else alone."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.errors import RequestError
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.request import automatic_ttl, blocks, with_markers
from scrimp.wire.splice import splice_markers

BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "unknown_field": {"kept": [1, 2.0]},
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "ls", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [
                        {"type": "text", "text": "a.py", "cache_control": {"type": "ephemeral"}},
                        {"type": "image", "source": {}},
                    ],
                },
                {"type": "text", "text": ""},
            ],
        },
    ],
    "tools": [{"name": "ls", "input_schema": {}}, {"name": "cat", "input_schema": {}, "defer_loading": True}],
}


def test_blocks_come_in_render_order_with_nested_content_before_its_parent() -> None:
    assert [(block.path, block.section, block.kind, block.depth) for block in blocks(BODY)] == [
        (("tools", 0), "tools", "tool", 0),
        (("tools", 1), "tools", "tool", 0),
        (("system", 0), "system", "text", 0),
        (("messages", 0, "content", 0), "messages", "text", 0),
        (("messages", 1, "content", 0), "messages", "thinking", 0),
        (("messages", 1, "content", 1), "messages", "tool_use", 0),
        (("messages", 2, "content", 0, "content", 0), "messages", "text", 1),
        (("messages", 2, "content", 0, "content", 1), "messages", "image", 1),
        (("messages", 2, "content", 0), "messages", "tool_result", 0),
        (("messages", 2, "content", 1), "messages", "text", 0),
    ]


def test_markers_are_read_with_their_ttl_and_a_bare_one_means_5m() -> None:
    marked = {block.path: block.ttl for block in blocks(BODY) if block.ttl}
    assert marked == {("system", 0): "1h", ("messages", 2, "content", 0, "content", 0): "5m"}
    assert automatic_ttl(BODY) is None
    assert automatic_ttl({**BODY, "cache_control": {"type": "ephemeral"}}) == "5m"


def test_only_blocks_the_api_accepts_can_be_marked() -> None:
    refused = [block.path for block in blocks(BODY) if not block.markable]
    assert refused == [
        ("tools", 1),  # defer_loading
        ("messages", 1, "content", 0),  # thinking
        ("messages", 2, "content", 1),  # empty text
    ]
    unknown = {
        "messages": [{"role": "user", "content": [{"type": "hologram"}, {"type": "web_search_tool_result"}]}]
    }
    assert [block.markable for block in blocks(unknown)] == [False, True]


def test_string_system_is_one_block_and_an_empty_one_is_none() -> None:
    assert [b.path for b in blocks({"system": "x", "messages": []})] == [("system", 0)]
    assert blocks({"system": "", "messages": []}) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content"),
        ({"messages": [], "tools": {}}, "tools"),
    ],
)
def test_what_is_not_a_messages_request_is_named(body: dict[str, Any], place: str) -> None:
    with pytest.raises(RequestError, match=f"^{place}:"):
        blocks(body)


def test_no_edits_return_the_very_body() -> None:
    assert with_markers(BODY, []) is BODY


def test_an_edit_shares_what_it_does_not_touch_and_leaves_the_original_alone() -> None:
    before = copy.deepcopy(BODY)
    edited = with_markers(BODY, [MarkerEdit(("messages", 0, "content", 0), "5m")])
    assert before == BODY
    assert edited["messages"][0]["content"] == [
        {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}
    ]
    assert edited["messages"][2] is BODY["messages"][2]
    assert edited["tools"] is BODY["tools"]


def test_other_fields_of_a_marker_survive_a_change_of_ttl() -> None:
    control = {"type": "ephemeral", "scope": "user"}
    body = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": control}]}]
    }
    edited = with_markers(body, [MarkerEdit(("messages", 0, "content", 0), "1h")])
    assert edited["messages"][0]["content"][0]["cache_control"] == {**control, "ttl": "1h"}


@pytest.mark.parametrize("path", [("messages", 9, "content", 0), ("system", 3), ("messages", 0, "role", 1)])
def test_a_path_that_leads_nowhere_is_refused(path: tuple[str | int, ...]) -> None:
    with pytest.raises(RequestError):
        with_markers(BODY, [MarkerEdit(path, "5m")])


PATHS = [block.path for block in blocks(BODY) if block.markable] + [()]


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(["5m", "1h", None])), max_size=5))
@settings(max_examples=200)
def test_editing_values_and_splicing_bytes_mean_the_same(edits: list[tuple[Any, Any]]) -> None:
    # Each path once: the byte editor takes one edit per block.
    wanted = [MarkerEdit(path, ttl) for path, ttl in dict(edits).items()]
    raw = json.dumps(BODY, indent=1).encode()
    assert json.loads(splice_markers(raw, wanted)) == with_markers(BODY, wanted)
