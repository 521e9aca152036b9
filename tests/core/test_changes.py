"""What differs between two prompts, told from both of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.changes import Change, Kind, compare
from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.spans import compare_texts, likeness

READING = Reading(key="claude-opus-5")
RULES = "You review code. Name each file you read, with lines. Never guess. " * 6


def change(before: dict[str, Any], after: dict[str, Any]) -> Change | None:
    return compare(
        read_prompt({"messages": [], **before}, READING), read_prompt({"messages": [], **after}, READING)
    )


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"Does {name}.", "input_schema": {"type": "object"}, **more}


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:07Z", Kind.TIMESTAMP),
        ("2026-11-21", "2026-11-22", Kind.TIMESTAMP),
        ("Saturday, November 21, 2026", "Sunday, November 22, 2026", Kind.TIMESTAMP),
        ("Sat Nov 21 13:49:16 UTC 2026", "Sat Nov 21 14:00:02 UTC 2026", Kind.TIMESTAMP),
        ("21/11/2026 13:49", "21/11/2026 13:50", Kind.TIMESTAMP),
        ("at 9:59 AM", "at 10:01 AM", Kind.TIMESTAMP),
        ("1795257600", "1795257661", Kind.TIMESTAMP),
        ("1795257600.123", "1795257661.9", Kind.TIMESTAMP),
        ("0b6ff6b4-8a33-4c9f-9d5e-0c1e6a5a2b11", "7c9e6679-7425-40de-944b-e07fc1f90ae7", Kind.UUID),
        ("id 9f0c1d2e3b4a4c5d8e6f7a8b9c0d1e2f", "id 1a2b3c4d5e6f4a7b9c8d0e1f2a3b4c5d", Kind.UUID),
        ("req_011CSHoEeqs5C35K2UUqR7Fy", "req_011CSHpYxkW4Nn1T9mZqPq2b", Kind.RANDOM_ID),
        ("trace 4bf92f3577b34da6", "trace a3ce929d0e0e4736", Kind.RANDOM_ID),
        ("ticket 48213377", "ticket 48213391", Kind.RANDOM_ID),
        ('{"b": 1, "a": [2, 3]}', '{"a": [2, 3], "b": 1}', Kind.KEY_ORDER),
        ("{'x', 'y', 'z'}", "{'z', 'x', 'y'}", Kind.KEY_ORDER),
        ("one  two\n", "one two", Kind.WHITESPACE),
        ("line\r\nline", "line\nline", Kind.WHITESPACE),
        ("is enabled", "is disabled", Kind.EDITED),
        ("at most 10 files", "at most 20 files", Kind.EDITED),
        ("version 1.2", "version 1.3", Kind.EDITED),
        ("2026-11-21: be brief", "something else altogether, without a date, " * 9, Kind.EDITED),
    ],
)
def test_the_kind_of_a_difference_in_a_text(before: str, after: str, kind: Kind) -> None:
    found = change({"system": f"{RULES} {before} {RULES}"}, {"system": f"{RULES} {after} {RULES}"})
    assert found is not None
    assert (found.kind, found.path, found.section) == (kind, "system.0", "system")


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_offset_is_the_first_differing_byte(before: str, after: str) -> None:
    found = compare_texts(before, after)
    if before == after:
        assert found is None
        return
    assert found is not None
    old, new = (text.encode("utf-8", "surrogatepass") for text in (before, after))
    first = next(
        (n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )
    # A character that differs in its last byte only differs from where it begins.
    assert first - 3 <= found.offset <= first
    assert old[: found.offset] == new[: found.offset]


@given(st.text(max_size=40), st.text(max_size=40))
def test_likeness_is_a_share_and_the_same_both_ways(before: str, after: str) -> None:
    assert 0 <= likeness(before, after) <= 1
    assert likeness(before, after) == likeness(after, before)
    assert not before or likeness(before, before) == 1


@given(st.lists(st.text(max_size=3), max_size=6), st.lists(st.text(max_size=3), max_size=4))
def test_a_prompt_that_goes_on_or_goes_back_has_not_changed(said: list[str], more: list[str]) -> None:
    def prompt(texts: list[str]) -> dict[str, Any]:
        return {"system": RULES, "messages": [{"role": "user", "content": text} for text in texts]}

    assert change(prompt(said), prompt([*said, *more])) is None
    assert change(prompt([*said, *more]), prompt(said)) is None


def test_tools_added_removed_reordered_and_edited_are_told_apart() -> None:
    tools = [tool("ls"), tool("cat"), tool("rm")]
    added = change({"tools": tools}, {"tools": [tools[0], tool("new"), *tools[1:]]})
    removed = change({"tools": tools}, {"tools": tools[:2]})
    ordered = change({"tools": tools}, {"tools": [tools[0], tools[2], tools[1]]})
    edited = change({"tools": tools}, {"tools": [tools[0], tool("cat", description="Prints it."), tools[2]]})
    found = [added, removed, ordered, edited]
    assert [(one.kind, one.path, one.names) for one in found if one is not None] == [
        (Kind.ADDED, "tools.1", ("+new",)),
        (Kind.REMOVED, "tools.2", ("-rm",)),
        (Kind.ORDER, "tools.1", ()),
        (Kind.EDITED, "tools.1", ("cat",)),
    ]


def test_blocks_put_in_taken_out_and_edited_are_told_apart() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}

    def prompt(*content: Any) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": list(content)}]}

    one, two, three = ({"type": "text", "text": text} for text in ("one", "two", "three"))
    shown = [
        change(prompt(one, two, three), prompt(one, three)),
        change(prompt(one, two), prompt(image, one, two)),
        change(prompt(one, thinking, two), prompt(one, two)),
        change(prompt(one, two, three), prompt(one, {"type": "text", "text": "zwei"}, three)),
    ]
    assert [(found.kind, found.path) for found in shown if found is not None] == [
        (Kind.REMOVED, "messages.0.content.1"),
        (Kind.IMAGE, "messages.0.content.0"),
        (Kind.THINKING, "messages.0.content.1"),
        (Kind.EDITED, "messages.0.content.1"),
    ]


def test_the_order_of_keys_deep_in_a_schema_is_the_order_as_sent() -> None:
    one = tool("ls", input_schema={"type": "object", "properties": {"a": {}, "b": {}}})
    other = tool("ls", input_schema={"type": "object", "properties": {"b": {}, "a": {}}})
    found = change({"tools": [one]}, {"tools": [other]})
    assert found is not None
    assert found.kind is Kind.KEY_ORDER
    # The order of a block's own fields is nothing the provider sees.
    assert change({"tools": [one]}, {"tools": [dict(reversed(one.items()))]}) is None
