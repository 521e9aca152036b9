"""How long a text may be once it is spelled as a tokenizer does."""

from __future__ import annotations

from unicodedata import normalize

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.worst_text import spelled_bytes
from tests.core.worst_bodies import ADDED, asked_by, body, worst


@pytest.mark.parametrize(
    ("letter", "bytes_"), [("\ufdfa", 33), ("\u334a", 15), ("½", 5), ("字", 3), ("é", 2)]
)
def test_a_text_is_as_long_as_a_tokenizer_may_spell_it(letter: str, bytes_: int) -> None:
    """Normalised (NFKC), which the one published vocabulary does first; the lengths are Unicode's."""
    asked = body(**asked_by({"type": "text", "text": letter * 9_000}))
    beside = len(orjson.dumps(body(**asked_by({"type": "text", "text": ""})))) + ADDED
    assert 0 <= worst(asked).input_tokens - beside - bytes_ * 9_000 < 1_000


def test_half_of_a_pair_has_a_bound_like_other_text() -> None:
    """Clients that cut texts by UTF-16 units send it."""
    asked = body(**asked_by({"type": "text", "text": "x" * 1_000 + "\ud83d"}))
    assert worst(asked).input_tokens < 3_000


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_no_normalised_text_is_longer(text: str) -> None:
    assert spelled_bytes(orjson.dumps(text), 10**9) >= max(
        len(normalize("NFKC", text).encode()), len(text.encode())
    )


_marked = st.text(st.sampled_from('abrnt\r\n"\\é\u0323\u0304\u0301\u0345\u1ebf\u0f73\ufdfa\uac00\u11a8½ㇰ字'))


@given(text=_marked)
def test_no_text_with_marks_is_longer_once_normalised(text: str) -> None:
    assert spelled_bytes(orjson.dumps(text), 10**9) >= len(normalize("NFKC", text).encode())


@pytest.mark.parametrize("text", ["é\u0323" * 1_000, "\r\u0323\u0304" * 1_000 + "\ufdfa" * 1_000])
def test_marks_that_go_to_other_letters_add_up(text: str) -> None:
    """In the first an accent is split off its letter; in the second no letter is there to take the marks."""
    assert spelled_bytes(orjson.dumps(text), 10**9) >= len(normalize("NFKC", text).encode())


def test_an_enormous_text_is_not_spelled_out() -> None:
    encoded = orjson.dumps("\ufdfa" * 1_000_000)
    assert 50_000 <= spelled_bytes(encoded, 50_000) < 33 * 100_000
