"""Comparing long texts: a difference is judged by what is around it, and nothing of them is kept."""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest

from scrimp.core.spans import Kind, compare_texts
from tests.patience import within

MEGABYTE = 2**20


@pytest.mark.parametrize("piece", ["word and some more text, ", "aB1", "2026-01-01T00:00:00Z "])
@pytest.mark.parametrize("before", [0, MEGABYTE])
def test_a_timestamp_in_a_long_text_is_found_in_bounded_time(piece: str, before: int) -> None:
    head, tail = piece * (before // len(piece)), piece * (4 * MEGABYTE // len(piece))
    began = time.process_time()
    found = compare_texts(
        f"{head}; now 2026-02-01T10:00:00Z; {tail}", f"{head}; now 2026-02-01T11:00:00Z; {tail}"
    )
    assert within(time.process_time() - began, 1.5)  # it was three seconds and more
    assert found is not None
    assert found.kind is Kind.TIMESTAMP
    assert found.offset == len(head) + len("; now 2026-02-01T1")


def test_an_edit_in_a_long_text_is_one() -> None:
    text = "word and some more text, " * 200_000
    found = compare_texts(text + "the end", text + "an end")
    assert found is not None
    assert (found.kind, found.offset) == (Kind.EDITED, len(text))


def test_long_words_are_not_remembered() -> None:
    def compared(number: int) -> None:
        word = f"{number}a1B2" * 25_000
        compare_texts(f"now 2026-02-01T10:00:00Z {word}", f"now 2026-02-01T11:00:00Z {word}")

    compared(0)
    tracemalloc.start()
    for number in range(1, 4):
        compared(number)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000
