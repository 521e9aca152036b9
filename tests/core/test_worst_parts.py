"""What a request may hold that its bytes do not bound, and what is not known here."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.worst_parts import Looked, look_at_messages, look_on
from tests.core.worst_bodies import ADDED, MARK, MARK_1H, TEXT, asked_by, body, image, worst


def cited(text: str, *, enabled: bool = True) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": text}
    return asked_by({"type": "document", "source": source, "citations": {"enabled": enabled}})


def test_a_text_to_cite_is_longer_by_its_sentences() -> None:
    """Each is a chunk of its own with a number, however short."""
    for text in ("A. " * 30_000, "一。" * 30_000, "a\n" * 30_000):
        asked = body(**cited(text))
        assert worst(asked).input_tokens >= len(orjson.dumps(asked)) + 30_000 * 10
        plain = body(**cited(text, enabled=False))
        assert worst(plain).input_tokens < len(orjson.dumps(plain)) + ADDED + 100
    prose = "It was a bright cold day in April, and the clocks were striking thirteen. " * 1_000
    asked = body(**cited(prose))
    assert worst(asked).input_tokens < 2 * len(orjson.dumps(asked))
    assert worst(body(**cited("A. " * 400_000))).input_tokens == 1_000_000
    assert worst(body(**cited(prose * 4))).input_tokens == 1_000_000  # too long to be looked at


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"retrieval": {"index": "i"}}, "retrieval"),
        ({"thread": "msg_1"}, "thread"),
        ({"thread": {"type": "fork", "message_id": "msg_1"}}, "thread"),
        (asked_by({"type": "video", "source": {"type": "file", "file_id": "f"}}), "video"),
        (asked_by({"type": "tool_addition", "tool": {"type": "mcp_toolset_reference"}}), "mcp_toolset"),
        (
            asked_by(
                {
                    "type": "web_fetch_tool_result",
                    "tool_use_id": "t",
                    "content": {
                        "type": "web_fetch_result",
                        "content": {"type": "document", "source": {"type": "base64", "data": "JVBE"}},
                    },
                }
            ),
            "document",
        ),
    ],
)
def test_what_is_not_known_here_may_fill_the_window(fields: dict[str, Any], named: str) -> None:
    found = worst(body(**fields))
    assert found.input_tokens == 1_000_000
    assert named in found.notes[0]


def test_what_is_too_deep_to_look_at_may_fill_the_window() -> None:
    block: dict[str, Any] = TEXT
    for _ in range(2_000):
        block = {"type": "search_result", "content": [block]}
    assert worst(body(**asked_by(block))).input_tokens == 1_000_000


def test_the_notes_hold_little_of_what_the_caller_wrote() -> None:
    [note] = worst(body(**{"x" * 5_000: 1})).notes
    assert len(note) < 100


@pytest.mark.parametrize("kind", ["browse_20270101", "retrieval", "bash_code_execution_20250825"])
def test_a_tool_that_is_not_known_here_may_find_anything(kind: str) -> None:
    found = worst(body(tools=[{"type": kind, "name": "x", "max_uses": 3}]))
    assert found.input_tokens > 3 * 1_000_000


@pytest.mark.parametrize(
    "kind",
    ["bash_20250124", "text_editor_20250728", "computer_20251124", "browser_toolset_20260801", "custom"],
)
def test_a_tool_that_the_caller_runs_finds_nothing_by_itself(kind: str) -> None:
    assert worst(body(tools=[{"type": kind, "name": "x"}])).input_tokens < 10_000


DEFERRED = {"name": "a", "description": "x" * 9_000, "input_schema": {}, "defer_loading": True}
OTHER = {"name": "b", "description": "x" * 50, "input_schema": {}, "defer_loading": True}


def reference(name: str) -> dict[str, Any]:
    return {"type": "tool_reference", "tool_name": name}


def searched(*names: str) -> dict[str, Any]:
    """As the API's own search left it in the conversation."""
    found = [reference(name) for name in names]
    content = {"type": "tool_search_tool_search_result", "tool_references": found}
    return {"type": "tool_search_tool_result", "tool_use_id": "s", "content": content}


@pytest.mark.parametrize(
    ("block", "more"),
    [
        ({"type": "tool_result", "tool_use_id": "t", "content": [reference("a"), reference("a")]}, 2 * 9_000),
        (searched("a", "a", "b"), 2 * 9_000),
        ({"type": "tool_addition", "tool": {"type": "tool_reference", "name": "a"}}, 9_000),
        (
            {
                "type": "compaction",
                "content": "so far",
                "tool_changes": [{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "a"}}],
            },
            9_000,
        ),
        (searched("none of them"), 9_000),
    ],
)
def test_a_definition_stands_again_where_it_is_referred_to(block: dict[str, Any], more: int) -> None:
    asked = body(tools=[DEFERRED, OTHER], **asked_by(block))
    found = worst(asked).input_tokens - len(orjson.dumps(asked)) - ADDED - 2 * 100
    assert more < found < more + 1_000


def test_a_tool_defined_among_the_messages_counts_like_the_others() -> None:
    definition = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    addition = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}}
    assert worst(body(**asked_by(addition))).input_tokens > 2 * 1_000_000


blocks = st.sampled_from(
    [
        TEXT,
        {**TEXT, "cache_control": MARK},
        {**TEXT, "cache_control": MARK_1H},
        {"type": "tool_use", "id": "t", "name": "a", "input": {}},
        {"type": "tool_result", "tool_use_id": "t", "content": [image("aGk=")]},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "base64", "data": "JVBE"}},
        {"type": "tool_reference", "tool_name": "a"},
        {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "b"}}},
        {"type": "unheard_of"},
    ]
)
messages = st.builds(
    lambda content: {"role": "user", "content": content}, st.lists(blocks, max_size=3) | st.text(max_size=3)
)


@given(st.lists(messages, min_size=20, max_size=40), st.data())
def test_a_conversation_goes_on_from_what_was_found_in_it(said: list[Any], data: st.DataObject) -> None:
    """Whatever the next request has in common with the one before it, and wherever it ends."""
    looked: Looked = ()
    before: list[Any] = []
    for _ in range(4):
        end = data.draw(st.integers(0, len(said)))
        common = data.draw(st.integers(0, min(end, len(before))))
        asked = [*before[:common], *said[common:end]]
        looked = look_on(asked, looked, common)
        assert not looked or looked[-1] == (len(asked), look_at_messages(asked))
        before = asked
    assert looked or len(before) < 20
