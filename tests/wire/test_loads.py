"""JSON off the wire: nothing that another parser accepted may stop us."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.wire.loads import loads

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(documents, st.booleans())
def test_it_reads_what_the_standard_library_wrote(document: object, ascii_only: bool):
    text = json.dumps(document, ensure_ascii=ascii_only)
    assert loads(text.encode("utf-8")) == document


def test_lone_surrogates_and_numbers_beyond_a_double_are_read():
    assert loads(b'["\\ud83d", 1e999, 123456789012345678901234567890]') == [
        "\ud83d",
        float("inf"),
        123456789012345678901234567890,
    ]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'"\xff"', b"[1,]", b"[" * 200_000])
def test_what_is_not_json_is_a_value_error(raw: bytes):
    with pytest.raises(ValueError, match=r".+"):
        loads(raw)
