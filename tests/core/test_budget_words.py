"""Limits in words: what people may write, and what a refusal says."""

from __future__ import annotations

import re
from datetime import UTC
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.budget import Crossing, Limit, Refusal, Scope
from scrimp.core.budget_words import amount_of, describe, describe_crossing, percents_of, scope_of
from scrimp.core.money import PICODOLLARS

BERLIN = ZoneInfo("Europe/Berlin")
CENT = PICODOLLARS // 100


def refusal(limit: int, spent: int, held: int, asked: int, **fields: Any) -> Refusal:
    scope = Scope("user", "u_42")
    plain = {"scope": scope, "amount": limit, "window": "day", "zone": "Europe/Berlin"}
    # 2026-07-01 22:00 UTC is midnight in Berlin, in summer.
    return Refusal(Limit(**plain | fields), scope, spent, held, asked, 1_782_943_200.0)


def test_a_refusal_says_who_how_much_and_until_when() -> None:
    assert describe(refusal(500 * CENT, 320 * CENT, 110 * CENT, 95 * CENT), BERLIN) == (
        "budget exceeded: user:u_42 may spend $5.00 a day; $3.20 is spent, $1.10 held by calls under way, "
        "and this call could cost up to $0.95; resets 2026-07-02 00:00 Europe/Berlin (2026-07-01 22:00 UTC)"
    )


def test_a_limit_for_good_says_so() -> None:
    run = Scope("run", "nightly/reviewer")
    limit = Limit(scope=run, amount=200 * CENT)
    words = describe(Refusal(limit, run, 199 * CENT, 0, 5 * CENT, None), UTC)
    assert words == (
        "budget exceeded: run:nightly/reviewer may spend $2.00 in total; $1.99 is spent, nothing held by "
        "calls under way, and this call could cost up to $0.05; this limit does not reset"
    )


def test_cents_get_decimals_only_where_they_would_hide_the_reason() -> None:
    by_a_little = refusal(500 * CENT, 400 * CENT, 50 * CENT, 50 * CENT + PICODOLLARS // 10_000)
    assert "up to $0.5001;" in describe(by_a_little, BERLIN)
    tiny = refusal(CENT // 10, CENT // 20, 0, CENT // 10)
    assert "may spend $0.0010 a day; $0.0005 is spent" in describe(tiny, BERLIN)


amounts = st.one_of(st.integers(0, 10**18), st.integers(0, 10**24))


@given(amounts, amounts, amounts, amounts, st.text(min_size=1))
def test_the_line_shows_why_whatever_the_amounts_and_names(
    limit: int, spent: int, held: int, asked: int, name: str
) -> None:
    said = refusal(limit, spent, held, asked)
    said = Refusal(said.limit, Scope("user", name), spent, held, asked, said.resets_at)
    line = describe(said, BERLIN)
    assert line.isprintable()
    _, _, after = line.rpartition(" may spend ")
    shown = [Decimal(one.replace(",", "")) for one in re.findall(r"\$([\d,]+\.\d+)", after)]
    assert (sum(shown[1:]) > shown[0]) == (spent + held + asked > limit)


@pytest.mark.parametrize("digits", [29, 400, 5000])
def test_a_request_may_ask_for_any_number(digits: int) -> None:
    line = describe(refusal(500 * CENT, 0, 0, 10**digits), BERLIN)
    assert "this call could cost up to over $1,000,000,000,000; resets" in line
    assert len(line) < 300


def test_a_crossing_says_how_much_is_spent() -> None:
    limit = Limit(scope=Scope("organisation"), amount=50_000 * CENT, window="month")
    words = describe_crossing(Crossing(limit, limit.scope, 80, 40_123 * CENT, 1_785_542_400.0), UTC)
    assert words == (
        "organisation has spent $401.23 of $500.00 a month, 80 % is reached; resets 2026-08-01 00:00 UTC"
    )


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("organisation", Scope("organisation")),
        ("organization", Scope("organisation")),
        ("team:research", Scope("team", "research")),
        ("user:*", Scope("user", "*")),
        ("user:urn:me@example.org", Scope("user", "urn:me@example.org")),
        ("run:nightly/reviewer", Scope("run", "nightly/reviewer")),
        (" key : ci ", Scope("key", "ci")),
        ("task:review", Scope("task", "review")),
        ("agent:coder", Scope("agent", "coder")),
    ],
)
def test_scopes_are_read_as_they_are_written(text: str, scope: Scope) -> None:
    assert scope_of(text) == scope
    assert scope_of(str(scope)) == scope


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("usr:x", "'usr:x' is no scope: did you mean user? write organisation, team:NAME"),
        ("", "'' is no scope: write organisation, team:NAME"),
        ("user", "'user' names nobody: write user:NAME, or user:* for each by itself"),
        ("user:", "'user:' names nobody: write user:NAME"),
        ("organisation:me", "'organisation:me': the organisation has no name, write it alone"),
        ("us\ner", "'us er' is no scope"),
    ],
)
def test_a_scope_that_is_none_says_what_can_be_written(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        scope_of(text)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "picodollars"),
    [
        ("5", 5 * 10**12),
        ("5.00", 5 * 10**12),
        ("$5.00", 5 * 10**12),
        (" $1,250.50 ", 1250 * 10**12 + 5 * 10**11),
        ("0.000000000001", 1),
        ("0.1", 10**11),
        ("0", 0),
    ],
)
def test_amounts_are_exact(text: str, picodollars: int) -> None:
    assert amount_of(text) == picodollars


@pytest.mark.parametrize("text", ["", "five", "-5", "nan", "inf", "0.0000000000001", "$$5", "5 EUR"])
def test_an_amount_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no amount of dollars: write it as 5, 5\.00 or"):
        amount_of(text)


@pytest.mark.parametrize(
    "text", ["5,00", "20,00", "1,250", "1,250.5", "1.250,00", "0,500.00", "12,34.00", ",500.00"]
)
def test_a_comma_that_may_be_meant_as_the_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"a comma is not taken here; write cents after a point, as 5\.00"):
        amount_of(text)


@given(st.integers(0, 10**12))
def test_thousands_with_cents_are_read_as_they_are_written(cents: int) -> None:
    dollars = Decimal(cents) / 100
    assert amount_of(f"{dollars:,.2f}") == amount_of(f"{dollars:.2f}") == cents * CENT


@given(st.text("0123456789,.$", min_size=1, max_size=12).filter(lambda text: "," in text))
def test_no_comma_changes_an_amount(text: str) -> None:
    try:
        amount = amount_of(text)
    except ValueError:
        return
    assert f"{Decimal(amount) / PICODOLLARS:,.2f}" == text.removeprefix("$")


def test_percents_are_sorted_and_each_once() -> None:
    assert percents_of("100,50, 80%,50") == (50, 80, 100)
    assert percents_of("") == ()


@pytest.mark.parametrize("text", ["0", "101", "80.5", "a", "-1", "²"])
def test_percents_that_are_none_are_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="write whole per cent from 1 to 100 with commas"):
        percents_of(text)
