"""Task types told by the shape of a request."""

from __future__ import annotations

import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.record import Tags
from scrimp.core.task_type import TASK_TYPES, inferred_task_type, with_task_type

ASK = {"role": "user", "content": "How far is it?"}
ANSWER = {"role": "assistant", "content": "Not far."}
TOOL = {"name": "read", "input_schema": {"type": "object"}}
PICTURE = {"role": "user", "content": [{"type": "image", "source": {}}, {"type": "text", "text": "What?"}]}

SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("warm-up", {"max_tokens": 0, "tools": [TOOL], "messages": [ASK]}),
    ("compaction", {"compaction": {"type": "summarize"}, "tools": [TOOL], "messages": [ASK]}),
    ("extraction", {"output_config": {"format": {"type": "json_schema"}}, "messages": [ASK]}),
    ("extraction", {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "read"}, "messages": [ASK]}),
    ("agent", {"tools": [TOOL, TOOL], "tool_choice": {"type": "any"}, "messages": [ASK]}),
    ("agent", {"tools": [TOOL], "messages": [ASK, ANSWER, ASK]}),
    ("agent", {"tools": [TOOL], "output_config": {"effort": "low"}, "messages": [ASK]}),
    ("classification", {"max_tokens": 5, "messages": [ASK]}),
    ("chat", {"max_tokens": 500, "messages": [ASK, ANSWER, ASK]}),
    ("document", {"max_tokens": 500, "messages": [PICTURE]}),
    ("one-shot", {"max_tokens": 500, "messages": [ASK]}),
    ("one-shot", {}),
]


@pytest.mark.parametrize(("expected", "body"), SHAPES)
def test_a_shape_has_its_type(expected: str, body: dict[str, Any]) -> None:
    assert inferred_task_type({"model": "claude-opus-5", "max_tokens": 1000} | body) == expected


def test_every_type_is_told() -> None:
    assert {expected for expected, _ in SHAPES} == set(TASK_TYPES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


FIELDS = ("max_tokens", "messages", "tools", "tool_choice", "output_config", "compaction")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_body_gets_a_type(body: dict[str, Any]) -> None:
    assert inferred_task_type(body) in TASK_TYPES


def test_long_prompts_take_no_longer() -> None:
    blocks = [{"type": "text", "text": "x" * 1000}] * 10_000
    body = {"max_tokens": 1000, "messages": [{"role": "user", "content": blocks}]}
    assert min(timeit.repeat(lambda: inferred_task_type(body), number=200, repeat=5)) / 200 < 50e-6


def test_a_named_type_stays() -> None:
    assert with_task_type(Tags(task_type="report"), {}) == Tags(task_type="report")
    assert with_task_type(Tags(user="u"), {}) == Tags(user="u", task_type="one-shot", inferred=True)
