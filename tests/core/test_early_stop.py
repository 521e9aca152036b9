"""When JSON in a stream is whole: at the very character, whatever stands around it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.early_stop import JsonSought, TextSought
from scrimp.errors import ResponseError

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
        ('As [1] says, the answer is: {"a": 5}', {"a": 5}),
        ('Plan:\n- [ ] look\n- [x] done\n```json\n{"a": 5}\n```', {"a": 5}),
        ('I will fill the {} with values: {"a": 5}', {"a": 5}),
        ('[1] Smith\n[2] Miller\n["Smith", "Miller"]', ["Smith", "Miller"]),
        ('The set {x | x > 3 is meant. {"a": 5}', {"a": 5}),
        ('A [5" pipe] fits: {"a": 5}', {"a": 5}),
        ("see [7]", [7]),
        ("```json\n[]\n```", []),
        ('{"a": {"b": [1, {"c": 2}]}} {"d": 3}', {"a": {"b": [1, {"c": 2}]}}),
        ("[]", []),
    ],
)
def test_what_is_no_json_is_passed_over(text: str, value: Any) -> None:
    assert fed(text)[0].result() == value


def test_what_the_providers_own_tools_are_asked_answers_nobody() -> None:
    sought = JsonSought()
    sought.begin("server_tool_use")
    assert not sought.reads_calls
    sought.begin("tool_use")
    assert sought.reads_calls
    assert sought.feed("{}")
    assert sought.result() == {}


def test_what_was_left_open_in_one_block_hides_nothing_of_the_next() -> None:
    sought = JsonSought()
    assert not sought.feed('Let {x be a "set.')
    sought.begin("text")
    assert sought.feed('{"a": 5}')
    assert sought.value == {"a": 5}


@pytest.mark.parametrize("text", ["", "no", '{"a": 1', "{this}", '"text"', "12", "[" * 3000])
def test_what_is_not_whole_is_not_found(text: str) -> None:
    assert not fed(text)[0].found


@given(
    st.dictionaries(st.text(max_size=6), VALUES, min_size=1, max_size=4) | st.lists(WHOLE, min_size=2),
    st.data(),
    st.sampled_from(["", "Here it is: ", "The set {x | x > 3 is meant.\n", "```json\n"]),
)
def test_nothing_inside_json_that_was_cut_off_is_taken_for_it(
    value: Any, data: st.DataObject, said: str
) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(1, len(text) - 1))
    sought, _ = fed(said + text[:cut])
    with pytest.raises(ResponseError):
        sought.result()


def test_a_condition_sees_all_text_so_far() -> None:
    sought = TextSought(lambda text: "b c" in text)
    assert [sought.feed(piece) for piece in ("a", " b", " c", " d")] == [False, False, True, True]
