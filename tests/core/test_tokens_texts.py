"""The counts of running text, against plain regular expressions that specify them."""

from __future__ import annotations

import re
from string import ascii_letters, ascii_lowercase, ascii_uppercase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scrimp.core.tokens.texts import TEXT_COUNTED, count_text, without_runs
from scrimp.facts.vocabulary import vocabulary_count

NUMBER = re.compile(r" \d")
INDENT = re.compile(r"\n[ \t]+")
JOINT = re.compile(r"[a-z][A-Z]")
LONG_WORD = re.compile(r"[a-z]{9,}")
UNBROKEN = re.compile(r"[A-Za-z0-9+/=_-]{25,}")
LETTER_RUN = re.compile(r"([A-Za-z])\1{15,}")


def specified(text: str) -> dict[str, int]:
    kept = LETTER_RUN.sub("", text)
    return {
        "vocabulary": vocabulary_count(kept),
        "numbers": len(NUMBER.findall(kept)),
        "indents": len(INDENT.findall(kept)),
        "joints": len(JOINT.findall(kept)),
        "long_words": len(LONG_WORD.findall(kept)),
        "unbroken": sum(map(len, UNBROKEN.findall(kept))),
        "letter_runs": len(text) - len(kept),
    }


def counted(text: str) -> dict[str, int]:
    return dict(zip(TEXT_COUNTED, count_text(text), strict=True))


BLANKS = " \n\t\r\v\f\x00\x1c\x85\xa0\u2028\u3000\ufeff"
DIGITS = "7\u0661\u0967\uff17\U0001d7d9\u00b2\u00bd\u2167"  # the last three are no decimal digits
LIKE_ASCII = "\u00e9\u00c9\u00df\u0131\u0130\u017f\u212a\uff41\uff21\u01c5"  # fold to ASCII, or look like it
PARTS_AND_PAIRS = "\u0301\u200d\ud800\udfff\U0001f600\U0010ffff"
JOINERS = "+/=_-.~"

nasty = st.sampled_from(BLANKS + DIGITS + LIKE_ASCII + PARTS_AND_PAIRS + JOINERS)
letters = st.sampled_from(ascii_letters)
repeated = st.builds(lambda letter, times: letter * times, letters | nasty, st.integers(1, 40))
words = st.text(ascii_lowercase, min_size=7, max_size=18) | st.text(ascii_uppercase, max_size=18)
joined = st.text(ascii_letters + "0123456789+/=_-", min_size=20, max_size=30)
pieces = nasty | repeated | words | joined | letters | st.text(max_size=6)
texts = st.lists(pieces, max_size=25).map("".join)


@given(texts)
@example("a" * 15 + "b" * 15)
@example("a" * 16 + "B" * 16 + "c" * 15 + "C")
@example("abcdefgh" + "z" * 16 + "i")  # what is left after a run is one long word
@example("abcdefghi" + "Z" * 16 + "jklmnopqr")  # and may be longer than any was before
@example("abcdefghi" * 2 + " " + "abcdefghi" + " " + "abcdefghi" * 3)
@example("x0" * 13 + "\u00e9" + "y0" * 12 + " \u0663 3\n\u3000\n\t ")
def test_counts_are_those_the_patterns_give(text: str) -> None:
    assert counted(text) == specified(text)


@given(texts)
def test_runs_are_what_the_pattern_removes(text: str) -> None:
    kept = LETTER_RUN.sub("", text)
    assert without_runs(text) == (kept, len(text) - len(kept))


def test_a_text_is_measured_as_stated() -> None:
    text = "def parseHTML(x):\n    return compatibility  # 12 or 7\nx" + "A" * 40 + " " + "QmFzZTY0" * 4
    numbers = counted(text)
    assert numbers["numbers"] == 2
    assert numbers["indents"] == 1
    assert numbers["joints"] == 9  # parseHTML, then mF and zZ four times
    assert numbers["long_words"] == 1
    assert numbers["unbroken"] == 32
    assert numbers["letter_runs"] == 40


@pytest.mark.parametrize("text", ["", "\ud800", " \udc32"])
def test_nothing_to_count_is_no_count(text: str) -> None:
    assert set(count_text(text)[1:]) == {0}
