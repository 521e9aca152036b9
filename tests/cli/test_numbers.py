"""Figures for people: rounded once, never to a claim that is not true."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.cli.numbers import change, dollar_places, dollars, percent, tokens


@pytest.mark.parametrize(
    ("amount", "places", "expected"),
    [
        ("0", None, "$0.00"),
        ("1234.5", None, "$1,234.50"),
        ("0.01234", None, "$0.0123"),
        ("0.00001", None, "<$0.0001"),
        ("-2.5", None, "−$2.50"),
        ("-0.00001", None, "$0.0000"),
        ("2.125", 2, "$2.12"),
        ("2.135", 2, "$2.14"),
        ("0.004", 2, "<$0.01"),
        ("7", 0, "$7"),
    ],
)
def test_dollars(amount: str, places: int | None, expected: str) -> None:
    assert dollars(Decimal(amount), places) == expected


@given(st.decimals(min_value="0.0001", max_value="100000", places=12))
def test_dollars_are_off_by_less_than_half_their_last_place(amount: Decimal) -> None:
    written = dollars(amount).lstrip("$").replace(",", "")
    unit = Decimal(1).scaleb(-len(written.split(".")[1]))
    assert abs(Decimal(written) - amount) <= unit / 2


@pytest.mark.parametrize(("largest", "expected"), [("0.2", 4), ("1", 3), ("9.99", 3), ("10", 2), ("-12", 2)])
def test_a_column_has_the_places_its_largest_amount_needs(largest: str, expected: int) -> None:
    assert dollar_places([Decimal(largest), Decimal("0.1")]) == expected


def test_an_empty_column_has_places() -> None:
    assert dollar_places([]) == 4


@pytest.mark.parametrize(
    ("share", "places", "expected"),
    [
        (0.9784, 1, "97.8 %"),
        (1.0, 1, "100.0 %"),
        (0.99996, 1, "99.9 %"),
        (0.999, 0, "99 %"),
        (0.0, 1, "0.0 %"),
        (-0.021, 1, "−2.1 %"),
    ],
)
def test_percent_never_rounds_up_to_all(share: float, places: int, expected: str) -> None:
    assert percent(share, places) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("2", "1", "−50.0 %"),
        ("1", "1.03", "+3.0 %"),
        ("1", "1.0001", "±0.0 %"),
        ("0", "1", "—"),
        ("1", "0", "−100.0 %"),
    ],
)
def test_change(before: str, after: str, expected: str) -> None:
    assert change(Decimal(before), Decimal(after)) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (12_345, "12.3k"),
        (999_949, "999.9k"),
        (999_950, "1M"),
        (1_050_000, "1.05M"),
        (999_994_999, "999.99M"),
        (999_995_000, "1B"),
        (2_160_100_000, "2.16B"),
    ],
)
def test_tokens(count: int, expected: str) -> None:
    assert tokens(count) == expected
