"""Parts of kept texts: a range is the text itself, a query finds what is there, a mistake is one line."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.offload.answering import MOST, Fetched, answer
from scrimp.core.offload.fetch_tool import DEFINITION, FETCH, offers, with_fetch
from scrimp.core.offload.handles import handle_of, is_handle
from scrimp.core.offload.querying import found
from scrimp.core.offload.ranges import Range, cut, lines_of, read_range
from scrimp.core.offload.scopes import OPEN, scope_of
from scrimp.core.record import Tags
from scrimp.errors import InputError

TEXTS = st.text(
    st.sampled_from("ab \n\r\t\x0b\x0c\x1c\x85\u2028é🦙") | st.characters(exclude_categories=["Cs"]),
    max_size=300,
)


class Shelf(NamedTuple):
    """A store with one text of one scope."""

    whole: str
    scope: str = ""

    def text(self, handle: str, scope: str) -> str | None:
        return self.whole if handle == handle_of(self.whole) and scope == self.scope else None


def ask(text: str, **asked: object) -> Fetched:
    return answer({"handle": handle_of(text), **asked}, "", Shelf(text))


@given(TEXTS, st.data())
def test_a_range_of_lines_is_the_text_between_its_line_feeds(text: str, data: st.DataObject) -> None:
    ends = [at + 1 for at, character in enumerate(text) if character == "\n"]
    if not text.endswith("\n") and text:
        ends.append(len(text))
    if not ends:
        return
    first = data.draw(st.integers(1, len(ends)))
    last = data.draw(st.integers(first, len(ends) + 3))
    start = ends[first - 2] if first > 1 else 0
    expected = text[start : ends[min(last, len(ends)) - 1]]
    assert ask(text, range=f"{first}-{last}") == (expected, False)


@given(TEXTS.filter(bool), st.data())
def test_a_range_of_characters_is_a_slice(text: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(text)))
    last = data.draw(st.integers(first, len(text)))
    assert ask(text, range=f"chars {first}-{last}") == (text[first - 1 : last], False)


@given(TEXTS)
def test_the_lines_are_the_text(text: str) -> None:
    assert "".join(lines_of(text)) == text
    assert all(
        line.count("\n") <= 1 and line.rstrip("\n") + "\n" * line.count("\n") == line
        for line in lines_of(text)
    )


def test_ranges_are_read_as_models_write_them() -> None:
    lines = Range("lines", 5, 90)
    for written in ("5-90", "lines 5-90", "5 - 90", "5–90", "5:90", [5, 90], "line 5 to 90"):
        assert read_range(written) == lines
    assert read_range("7") == Range("lines", 7, 7)
    assert read_range(7) == Range("lines", 7, 7)
    assert read_range("7-") == Range("lines", 7, None)
    assert read_range("chars 1-4000") == Range("chars", 1, 4000)


@pytest.mark.parametrize("written", ["", "0-5", "9-3", "-5", "1-2-3", "all", "1" * 400, {"a": 1}, "5.5"])
def test_what_is_no_range_is_refused_in_one_line(written: object) -> None:
    with pytest.raises(InputError) as caught:
        read_range(written)
    assert "120-180" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_range_behind_the_text_says_how_long_the_text_is() -> None:
    fetched = ask("one\ntwo\n", range="3-4")
    assert fetched.is_error
    assert "2 lines" in fetched.text
    assert cut("", Range("lines", 1, None)) == ""


@given(st.integers(1, 5_000), st.integers(0, 200))
def test_long_ranges_are_read_to_their_end_by_going_on(count: int, width: int) -> None:
    text = "".join(f"{number}{'x' * width}\n" for number in range(count))
    read, wanted = "", "1-"
    for _ in range(len(text) // (MOST // 2) + 2):
        part = ask(text, range=wanted)
        assert not part.is_error
        body, mark, rest = part.text.rpartition("[lines ")
        if not mark:
            read += part.text
            break
        assert len(body) <= MOST
        read += body
        wanted = rest.split('"')[1]
    assert read == text


def test_one_line_too_long_for_an_answer_is_read_by_characters() -> None:
    text = "é" * (3 * MOST)
    refused = ask(text, range="1-1")
    assert refused.is_error
    assert f"chars 1-{MOST}" in refused.text
    first = ask(text, range="chars 1-")
    assert first.text == f'{text[:MOST]}\n[characters 1-{MOST}; go on with range "chars {MOST + 1}-"]'
    assert ask(text, range=f"chars {MOST + 1}-{2 * MOST}").text == text[MOST : 2 * MOST]


def test_without_range_and_query_it_begins_at_the_beginning() -> None:
    assert ask("one\ntwo") == ("one\ntwo", False)
    assert ask("one\ntwo", range="", query=" ") == ("one\ntwo", False)


def test_unknown_handles_and_other_scopes_get_one_line_and_no_text() -> None:
    secret = "the number is 4711"
    shelf = Shelf(secret, scope="anna")
    handle = handle_of(secret)
    assert answer({"handle": handle}, "anna", shelf) == (secret, False)
    for asked in ({"handle": handle}, {"handle": handle, "query": "4711"}, {"handle": handle, "range": "1-"}):
        fetched = answer(asked, "ben", shelf)
        assert fetched.is_error
        assert "4711" not in fetched.text
        assert "\n" not in fetched.text
    for wrong in (
        {},
        {"handle": None},
        {"handle": 5},
        {"handle": "../../etc/passwd"},
        {"handle": handle.upper()},
    ):
        assert answer(wrong, "anna", shelf).is_error


def test_scopes_are_of_a_key_and_a_user_and_of_no_run() -> None:
    anna = scope_of(Tags(user="anna", run=("r",), run_ids=("1",)))
    assert anna == scope_of(Tags(user="anna", run=("other",), run_ids=("2",)))
    others = [Tags(user="ben"), Tags(key="anna"), Tags(user="anna", key="k"), Tags(user="('anna', None)")]
    assert len({anna, *map(scope_of, others)}) == 5
    assert scope_of(Tags()) == OPEN
    assert "anna" not in anna


@given(TEXTS)
def test_handles_are_of_the_text_alone(text: str) -> None:
    assert is_handle(handle_of(text))
    assert handle_of(text) == handle_of(text)
    assert handle_of(text) != handle_of(text + "x")


def test_a_query_brings_the_lines_around_what_it_finds() -> None:
    text = "".join(f"line {number} of the log\n" for number in range(1, 1001))
    text = text.replace("line 500 of", "line 500 ERROR in parse_config of")
    said = found(text, "parse_config")
    assert said == "".join(
        f"{number}: line {number} {'ERROR in parse_config ' if number == 500 else ''}of the log\n"
        for number in range(498, 503)
    )


def test_a_query_prefers_lines_with_all_of_its_words_and_rare_ones() -> None:
    text = "alpha\n" * 300 + "alpha beta\n" + "alpha\n" * 300 + "beta gamma alpha\n" + "alpha\n" * 300
    said = found(text, "alpha beta gamma")
    assert "602: beta gamma alpha" in said
    assert "301: alpha beta" in said
    assert "more lines match]" in said


def test_a_query_finds_in_one_long_line_and_says_where() -> None:
    text = "[" + ", ".join(f'{{"id": {number}}}' for number in range(10_000)) + "]"
    said = found(text, "7777")
    assert '{"id": 7777}' in said
    first, last = said.split("chars ")[1].split(")")[0].split("-")
    assert said.split("): ")[1].rstrip("\n") == text[int(first) - 1 : int(last)]


def test_a_query_falls_back_to_parts_of_words() -> None:
    assert "def parse(config)" in found("x\ndef parse(config)\n", "parse_config")


@given(st.lists(st.text("abcdefg", min_size=3, max_size=8), min_size=1, max_size=200), st.data())
def test_a_query_finds_every_word_that_stands_on_a_line(words: list[str], data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(words))
    said = found("\n".join(words), word)
    shown = [line.partition(": ") for line in said.splitlines() if ": " in line]
    assert any(word in text for _, _, text in shown)
    assert all(words[int(number) - 1] == text for number, _, text in shown)


def test_a_query_without_a_match_says_so_in_one_line() -> None:
    fetched = ask("one\ntwo\n", query="no such\nthing")
    assert fetched.is_error
    assert "2 lines" in fetched.text
    assert "\n" not in fetched.text


def test_the_tool_goes_behind_the_others_and_is_added_once() -> None:
    body = {"model": "m", "tools": ({"name": "a"},), "messages": []}
    changed = with_fetch(body)
    assert [tool["name"] for tool in changed["tools"]] == ["a", FETCH]
    assert changed["tools"][1] == DEFINITION
    assert offers(changed)
    assert not offers(body)
    assert with_fetch(changed) is changed
    assert DEFINITION["input_schema"]["required"] == ["handle"]
