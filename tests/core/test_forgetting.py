"""Bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.forgetting import Newest, forget_oldest


@given(st.lists(st.integers(0, 400), max_size=500), st.integers(1, 150))
def test_a_table_never_holds_more_than_it_may_and_keeps_the_newest(keys: list[int], most: int) -> None:
    table: dict[int, int] = {}
    for at, key in enumerate(keys):
        table.pop(key, None)
        table[key] = at
        before = dict(table)
        gone = forget_oldest(table, most)
        assert len(table) <= most
        assert list(before.values()) == [*gone, *table.values()]
        if gone:
            assert len(table) == most - most // 32


@given(st.lists(st.integers(0, 400), max_size=500, unique=True), st.integers(1, 150))
def test_a_set_of_the_newest_has_those_that_came_last_and_no_more_than_it_may(
    keys: list[int], most: int
) -> None:
    newest = Newest[int](most)
    for key in keys:
        newest.add(key)
        assert key in newest
    held = [key in newest for key in keys]
    assert min(len(keys), most - most // 32) <= sum(held) <= most
    assert held == sorted(held)
