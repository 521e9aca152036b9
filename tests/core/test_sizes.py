"""When tools and system grew: days, medians, jumps that stay."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from scrimp.core.sizes import Jump, histories, jumps
from scrimp.core.totals import StaticSize, rounded_size

FIRST = date(2026, 11, 1)


def days(*tokens: int) -> list[tuple[date, int]]:
    return [(FIRST + timedelta(days=at), size) for at, size in enumerate(tokens)]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((), []),
        ((1000,), []),
        ((1000, 1010, 990, 1025), []),
        ((1000, 1500, 1500), [(1, 1000, 1500)]),
        ((1000, 1500, 1000, 1000), []),
        ((1000, 1000, 1500), [(2, 1000, 1500)]),
        ((1000, 1020, 1040, 1040), [(2, 1000, 1040)]),
        ((1000, 2000, 2000, 1000, 1000), [(1, 1000, 2000), (3, 2000, 1000)]),
    ],
)
def test_jumps_are_changes_that_stay(tokens: tuple[int, ...], expected: list[tuple[int, int, int]]) -> None:
    assert jumps(days(*tokens)) == [
        Jump(FIRST + timedelta(days=at), before, after) for at, before, after in expected
    ]


def test_a_day_is_the_median_of_its_calls() -> None:
    later = FIRST + timedelta(days=3)
    found = histories(
        [
            StaticSize(FIRST, "main", "m", 100, 5),
            StaticSize(FIRST, "main", "m", 900, 4),
            StaticSize(later, "main", "m", 100, 1),
            StaticSize(later, "main", "m", 900, 9),
            StaticSize(FIRST, None, "m", 7, 1),
        ]
    )
    assert [(one.label, one.calls, one.tokens) for one in found] == [("main", 19, 900), (None, 1, 7)]
    assert found[0].days == ((FIRST, 100), (later, 900))
    assert found[0].jumps == (Jump(later, 100, 900),)
    assert found[0].jumps[0].change == 8.0


@pytest.mark.parametrize(
    ("tokens", "expected"), [(0, 0), (999, 999), (1_004, 1_000), (12_345, 12_300), (123_500, 124_000)]
)
def test_sizes_are_told_to_three_figures(tokens: int, expected: int) -> None:
    assert rounded_size(tokens) == expected
