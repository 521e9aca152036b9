"""A streamed message rebuilt equals the one the real SDK accumulates, and the one that was not streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.emulator import Emulator, Scripted, text, thinking, tool_use
from scrimp.wire.events import Event
from scrimp.wire.rebuild import MessageBuilder


def built(events: list[tuple[str, dict[str, Any]]]) -> dict[str, Any] | None:
    builder = MessageBuilder()
    for name, body in events:
        builder.feed(Event(name, json.dumps({"type": name, **body}).encode()))
    return builder.message()


START = {
    "message": {
        "id": "msg_1",
        "role": "assistant",
        "content": [],
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }
}


def test_text_thinking_and_tool_input_grow_by_their_deltas() -> None:
    message = built(
        [
            ("message_start", START),
            ("content_block_start", {"index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
            ("content_block_delta", {"index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
            ("content_block_delta", {"index": 0, "delta": {"type": "signature_delta", "signature": "sig"}}),
            ("content_block_stop", {"index": 0}),
            ("ping", {}),
            ("content_block_start", {"index": 1, "content_block": {"type": "text", "text": ""}}),
            ("content_block_delta", {"index": 1, "delta": {"type": "text_delta", "text": "Hel"}}),
            ("content_block_delta", {"index": 1, "delta": {"type": "text_delta", "text": "lo"}}),
            ("content_block_stop", {"index": 1}),
            (
                "content_block_start",
                {"index": 2, "content_block": {"type": "tool_use", "id": "t", "input": {}}},
            ),
            (
                "content_block_delta",
                {"index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
            ),
            (
                "content_block_delta",
                {"index": 2, "delta": {"type": "input_json_delta", "partial_json": ": 1}"}},
            ),
            ("content_block_stop", {"index": 2}),
            (
                "message_delta",
                {"delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9, "input_tokens": None}},
            ),
            ("message_stop", {}),
        ]
    )
    assert message == {
        "id": "msg_1",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "t", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 5, "output_tokens": 9},
    }


def test_a_stream_cut_short_gives_what_arrived() -> None:
    assert built([("ping", {})]) is None
    message = built(
        [
            ("message_start", START),
            (
                "content_block_start",
                {"index": 0, "content_block": {"type": "tool_use", "id": "t", "input": {}}},
            ),
            (
                "content_block_delta",
                {"index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
            ),
            ("content_block_stop", {"index": 0}),
        ]
    )
    assert message is not None
    assert message["content"][0]["input"] == '{"a"'


BLOCKS = st.lists(
    st.one_of(
        st.builds(text, st.text(min_size=1, max_size=80)),
        st.builds(thinking, st.text(min_size=1, max_size=40)),
        st.builds(lambda value: tool_use("look", {"q": value}), st.text(max_size=30)),
    ),
    min_size=1,
    max_size=4,
)
FOLDED = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Emulator, anthropic.Anthropic]]:
    with (
        Emulator() as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="k", max_retries=0) as client,
    ):
        yield emulator, client


@given(blocks=BLOCKS)
@settings(max_examples=25, deadline=None)
def test_it_agrees_with_the_sdks_own_accumulator(
    served: tuple[Emulator, anthropic.Anthropic], blocks: list[dict[str, Any]]
) -> None:
    emulator, client = served
    emulator.reply(Scripted([blocks]))
    builder = MessageBuilder()
    with client.messages.stream(
        model="claude-haiku-4-5", max_tokens=99, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        for event in stream:
            if event.type in FOLDED:
                builder.feed(Event(event.type, json.dumps(event.to_dict()).encode()))
        final = stream.get_final_message().to_dict()
    found = builder.message()
    assert found is not None
    assert found["content"] == final["content"]
    assert found["stop_reason"] == final["stop_reason"]


def test_a_summary_keeps_what_has_to_be_sent_back_with_it() -> None:
    message = built(
        [
            ("message_start", START),
            ("content_block_start", {"index": 0, "content_block": {"type": "compaction", "content": None}}),
            (
                "content_block_delta",
                {
                    "index": 0,
                    "delta": {"type": "compaction_delta", "content": "sum", "encrypted_content": "sealed"},
                },
            ),
            ("content_block_stop", {"index": 0}),
            ("content_block_start", {"index": 1, "content_block": {"type": "compaction", "content": None}}),
            ("content_block_delta", {"index": 1, "delta": {"type": "compaction_delta", "content": None}}),
            ("content_block_stop", {"index": 1}),
        ]
    )
    assert message is not None
    assert message["content"] == [
        {"type": "compaction", "content": "sum", "encrypted_content": "sealed"},
        {"type": "compaction", "content": None},
    ]
