"""System text moved by edits of the request: what is moved, what stays the caller's own."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from scrimp.wire.relocations import (
    system_texts,
    takes_system_message,
    with_system_messages,
    with_system_split,
)

MARK = {"cache_control": {"type": "ephemeral"}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("rules", ["rules"]),
        ("", None),
        (None, None),
        ([], None),
        ([text("a"), text("b", **MARK)], ["a", "b"]),
        ([text("a"), {"type": "image"}], None),
        ([{"type": "text", "text": 3}], None),
        (["a"], None),
        ([text("x-anthropic-billing-header: cc_version=2; cch=0a1;"), text("rules")], None),
    ],
)
def test_the_texts_of_a_system_prompt(system: Any, expected: list[str] | None) -> None:
    assert system_texts({"system": system}) == expected


def test_a_string_becomes_two_blocks_and_without_moved_text_a_shorter_string() -> None:
    body = {"system": "rules\ntime\n", "model": "m"}
    assert with_system_split(body, ["rules\n"], "time") == {
        "system": [text("rules\n"), text("time")],
        "model": "m",
    }
    assert with_system_split(body, ["rules\n"], None) == {"system": "rules\n", "model": "m"}


def test_blocks_keep_their_fields_and_those_that_stay_are_the_callers_own() -> None:
    body = {"system": [text("one"), text("two time", citations=None, **MARK), text("three")]}
    before = copy.deepcopy(body)
    found = with_system_split(body, ["one", "two ", "three"], "time")["system"]
    assert found == [text("one"), text("two ", citations=None, **MARK), text("three"), text("time")]
    assert found[0] is body["system"][0]
    assert found[2] is body["system"][2]
    assert body == before


def test_the_marker_of_a_block_that_goes_passes_to_the_block_before_it() -> None:
    long = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    gone = with_system_split({"system": [text("a"), text("time", **MARK)]}, ["a", ""], "time")
    assert gone["system"] == [text("a", **MARK), text("time")]
    kept = with_system_split({"system": [text("a", **long), text("time", **MARK)]}, ["a", " \n"], None)
    assert kept["system"] == [text("a", **long)]
    first = with_system_split({"system": [text("time", **MARK), text("a")]}, ["", "a"], "time")
    assert first["system"] == [text("a"), text("time")]


def test_a_system_message_stands_behind_the_message_it_is_for() -> None:
    body = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    found = with_system_messages(body, {0: "now"})["messages"]
    assert found == [body["messages"][0], {"role": "system", "content": [text("now")]}, body["messages"][1]]
    assert found[0] is body["messages"][0]
    assert with_system_messages(body, {}) == body


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("u", [True]),
        ("uau", [True, False, True]),
        ("uu", [False, True]),
        ("us", [False, False]),
        ("ua", [True, False]),
    ],
)
def test_it_follows_a_user_message_that_is_the_last_or_answered(roles: str, expected: list[bool]) -> None:
    names = {"u": "user", "a": "assistant", "s": "system"}
    messages = [{"role": names[role], "content": "x"} for role in roles]
    assert [takes_system_message(messages, index) for index in range(len(roles))] == expected
