"""Keep-alive against the published inequality, and against an account of every possible return."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.keepalive import Advice, Entry, advise, observed_gaps

READ, WRITE = 10, 125
"""Picodollars for the whole prefix: a read costs a tenth of the input price, a 5-minute write 1.25 of it."""


def entry(*, ping: int = READ, lifetime: float = 300, lead: float = 30) -> Entry:
    return Entry(ping=ping, saving=WRITE - READ, lifetime=lifetime, lead=lead)


def test_a_sure_return_just_after_the_end_is_worth_a_ping() -> None:
    advice = advise(entry(), observed_gaps([310]), away=0, expires_in=300)
    assert advice == Advice(pings=1, cost=READ, saves=WRITE - READ)
    assert advice.pays


@pytest.mark.parametrize("gap", [100, 299])
def test_a_return_before_the_end_needs_none(gap: float) -> None:
    assert not advise(entry(), observed_gaps([gap]), away=0, expires_in=300).pays


def test_where_nobody_returns_none_pays() -> None:
    assert advise(entry(), observed_gaps([], never=5), away=0, expires_in=300) == Advice(0, READ, 0)
    assert not advise(entry(), observed_gaps([]), away=0, expires_in=300).pays


def test_a_ping_pays_from_the_published_odds_on() -> None:
    """With p the odds of a return in the one window of a ping: p · (1.25 − 0.1) > 0.1, p above 0.0869…"""
    needed = Fraction(READ, WRITE - READ)
    for returns in range(101):
        odds = observed_gaps([400] * returns, never=100 - returns)
        assert advise(entry(), odds, away=0, expires_in=300).pays == (Fraction(returns, 100) > needed)


def test_several_pings_may_pay_where_one_does_not() -> None:
    odds = observed_gaps([1000] * 9, never=1)
    assert advise(entry(), odds, away=0, expires_in=300).pings == 3


def test_silence_makes_it_stop() -> None:
    odds = observed_gaps([400, 500, 550], never=3)
    assert advise(entry(), odds, away=0, expires_in=300).pays
    assert not advise(entry(), odds, away=580, expires_in=300).pays


def test_what_has_expired_is_not_pinged() -> None:
    assert not advise(entry(), observed_gaps([400]), away=301, expires_in=-1).pays


def test_it_says_so_in_dollars() -> None:
    yes = Advice(pings=3, cost=2_500_000_000, saves=10_000_000_000)
    assert yes.summary == "keeping it alive pays: up to 3 pings for $0.0025 in expectation to save $0.01"
    no = Advice(pings=0, cost=2_500_000_000, saves=0)
    assert no.summary == "keeping it alive does not pay: a ping costs $0.0025 and saves $0 in expectation"


def best_by_enumeration(gaps: list[int], never: int, away: int, expires_in: int) -> Fraction:
    """The best expected gain over all numbers of pings, each return looked at by itself."""
    left = [gap for gap in gaps if gap > away] + [10**9] * never
    gains = [Fraction(0)]
    for pings in range(1, 40):
        gain = Fraction(0)
        for gap in left:
            sent, at, end = 0, away + max(0, expires_in - 30), away + expires_in
            while sent < pings and gap > at:
                sent, end, at = sent + 1, at + 300, at + 270
            saved = WRITE - READ if away + expires_in < gap <= end else 0
            gain += Fraction(saved - READ * sent, len(left))
        gains.append(gain)
    return max(gains)


@given(
    st.lists(st.integers(1, 2000), max_size=12),
    st.integers(0, 5),
    st.integers(0, 1500),
    st.integers(1, 300),
)
def test_it_agrees_with_looking_at_every_return(
    gaps: list[int], never: int, away: int, expires_in: int
) -> None:
    if not [gap for gap in gaps if gap > away] and not never:
        return
    advice = advise(entry(), observed_gaps(gaps, never=never), away=away, expires_in=expires_in)
    best = best_by_enumeration(gaps, never, away, expires_in)
    if advice.pays:
        assert advice.saves - advice.cost == pytest.approx(float(best), abs=1.01)
    else:
        assert best == pytest.approx(0, abs=1e-6)
