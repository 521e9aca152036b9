"""When JSON in a stream is whole: at the very character, whatever stands around it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.early_stop import JsonSought, TextSought

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
WHOLE = st.lists(VALUES, max_size=4) | st.dictionaries(st.text(max_size=6), VALUES, max_size=4)


def fed(text: str, step: int = 1) -> tuple[JsonSought, int]:
    """A reader fed `text` piece by piece, and how many characters it took."""
    sought = JsonSought()
    for at in range(0, len(text), step):
        if sought.feed(text[at : at + step]):
            return sought, min(len(text), at + step)
    return sought, len(text)


@given(WHOLE, st.booleans(), st.integers(1, 7))
def test_it_is_enough_at_its_last_character(value: Any, ascii_only: bool, step: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    sought, taken = fed(f"Here it is: ```json\n{text}\n``` and much more {{", step)
    assert sought.found
    assert sought.value == value
    assert taken - len("Here it is: ```json\n" + text) < step


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "}{\\"]"}', {"a": '}{"]'}),
        ('see {this} and [that], then {"a": 1}', {"a": 1}),
        ("{not json [1, 2]}", [1, 2]),
        ('{"a": {"b": [1, {"c": 2}]}} {"d": 3}', {"a": {"b": [1, {"c": 2}]}}),
        ("[]", []),
    ],
)
def test_what_is_no_json_is_passed_over(text: str, value: Any) -> None:
    assert fed(text)[0].value == value


@pytest.mark.parametrize("text", ["", "no", '{"a": 1', "{this}", '"text"', "12"])
def test_what_is_not_whole_is_not_found(text: str) -> None:
    assert not fed(text)[0].found


def test_a_condition_sees_all_text_so_far() -> None:
    sought = TextSought(lambda text: "b c" in text)
    assert [sought.feed(piece) for piece in ("a", " b", " c", " d")] == [False, False, True, True]
