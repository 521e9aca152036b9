"""Which arguments are the same, and what a bounded table of results lets go of."""

from __future__ import annotations

import json
from array import array
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.tool_cache import Results, arguments_key, weight

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
NAMES = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def spelled(value: Any) -> Any:
    """An independent way to tell values apart: the type beside each value."""
    if isinstance(value, dict):
        return ["dict", sorted([repr(name), spelled(item)] for name, item in value.items())]
    if isinstance(value, list):
        return ["list", [spelled(item) for item in value]]
    return [type(value).__name__, repr(value)]


@given(NAMES, NAMES)
def test_two_calls_have_one_key_exactly_when_their_arguments_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (arguments_key(one) == arguments_key(other)) == (spelled(one) == spelled(other))


@given(NAMES)
def test_the_order_of_names_does_not_matter(arguments: dict[str, Any]) -> None:
    turned = dict(reversed(list(arguments.items())))
    assert arguments_key(turned) == arguments_key(arguments)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 0.0}, {"a": -0.0}),
        ({"a": "1"}, {"a": 1}),
        ({"a": b"x"}, {"a": "x"}),
        ({"a": ["b", "c"]}, {"a": ["bc"]}),
        ({"a": [["b"], "c"]}, {"a": [["b", "c"]]}),
        ({"a": "", "b": ""}, {"a": ""}),
        ({"ab": "c"}, {"a": "bc"}),
        ({"a": {"x": 1}}, {"a": ["x", 1]}),
    ],
)
def test_values_that_look_alike_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert arguments_key(one) != arguments_key(other)


@pytest.mark.parametrize("value", [object(), {1: "a"}, {"a"}, float("nan"), [object()], {"x": lambda: 0}])
def test_what_nothing_stands_for_is_named(value: Any) -> None:
    assert arguments_key({"first": 1, "odd": value}) == "odd"


def test_a_value_that_holds_itself_is_named() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert arguments_key({"odd": endless}) == "odd"


def test_a_result_counts_until_its_time_is_over() -> None:
    results = Results(ttl=10, most=9, most_bytes=9_999)
    results.put(("run", b"a"), "text", 100.0)
    found = results.get(("run", b"a"), 109.9)
    assert found is not None
    assert found.value == "text"
    assert results.get(("other run", b"a"), 101.0) is None
    assert results.get(("run", b"a"), 110.0) is None
    assert len(results) == 0


def test_of_too_many_results_those_not_used_for_longest_go() -> None:
    results = Results(ttl=None, most=2, most_bytes=9_999)
    for name in (b"a", b"b"):
        results.put(("", name), name, 0.0)
    results.get(("", b"a"), 0.0)
    results.put(("", b"c"), b"c", 0.0)
    assert [results.get(("", name), 0.0) is not None for name in (b"a", b"b", b"c")] == [True, False, True]


def test_results_take_no_more_room_than_allowed() -> None:
    results = Results(ttl=None, most=99, most_bytes=5_000)
    for number in range(20):
        results.put(("", b"%d" % number), "x" * 1_000, 0.0)
    assert len(results) == 4
    results.put(("", b"large"), "x" * 6_000, 0.0)
    assert results.get(("", b"large"), 0.0) is None
    assert len(results) == 4


def test_forgetting_some_arguments_forgets_them_in_every_run() -> None:
    results = Results(ttl=None, most=9, most_bytes=9_999)
    for owner in ("one", "two"):
        results.put((owner, b"a"), 1, 0.0)
        results.put((owner, b"b"), 1, 0.0)
    results.forget(b"a")
    assert [results.get((owner, name), 0.0) is None for owner in ("one", "two") for name in (b"a", b"b")] == [
        True,
        False,
        True,
        False,
    ]
    results.forget()
    assert len(results) == 0


@given(st.recursive(st.text(), st.lists, max_leaves=20))
def test_a_result_weighs_at_least_its_text(value: Any) -> None:
    assert weight(value) >= len(json.dumps(value, ensure_ascii=False)) / 6


class Slotted:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = "x" * 1_000_000


@pytest.mark.parametrize(
    "value",
    [Slotted(), array("d", [0.0]) * 125_000, deque(["x" * 1_000_000]), memoryview(bytes(1_000_000))],
)
def test_what_a_result_weighs_is_seen_whatever_it_is(value: Any) -> None:
    assert 1_000_000 <= weight([value]) < 1_010_000


def test_a_clock_that_is_set_back_keeps_nothing_for_longer() -> None:
    results = Results(ttl=60.0, most=9, most_bytes=1_000)
    results.put(("", b"a"), "text", 1_000.0)
    assert results.get(("", b"a"), 1_059.0)
    results.put(("", b"a"), "text", 1_000.0)
    assert results.get(("", b"a"), 900.0) is None
    assert results.get(("", b"a"), 1_000.0) is None
