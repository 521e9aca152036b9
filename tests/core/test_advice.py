"""What limit is advised from days of spending, against months worked out by hand and made-up futures."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.advice import ENOUGH_DAYS, Advice, advise_limit, round_between
from scrimp.core.money import PICODOLLARS

TODAY = date(2026, 11, 21)


def steady(days: int, dollars: int = 10, today: date = TODAY) -> dict[date, int]:
    return {today - timedelta(back): dollars * PICODOLLARS for back in range(1, days + 1)}


def advised(spent: dict[date, int], today: date = TODAY) -> Advice:
    found = advise_limit(spent, today)
    assert found is not None
    return found


def in_dollars(amount: int) -> float:
    return round(amount / PICODOLLARS, 2)


def test_the_same_every_day_is_expected_to_go_on() -> None:
    spent = steady(60) | {TODAY: 4 * PICODOLLARS}
    found = advised(spent)
    assert found.enough
    this, following = found.this_month, found.next_month
    # 20 whole days of November and $4 of today; the rest of today and 9 days are to come.
    assert in_dollars(this.so_far) == 204
    assert in_dollars(this.expected) == 300
    assert [in_dollars(one) for one in (following.low, following.expected, following.high)] == [310, 310, 310]
    assert found.limit == 400 * PICODOLLARS  # the roundest from 372 to 403
    assert found.trend == 1.0


def test_weekends_are_not_taken_for_working_days() -> None:
    spent = {
        day: (20 if day.weekday() < 5 else 0) * PICODOLLARS
        for day in (TODAY - timedelta(n) for n in range(1, 60))
    }
    found = advised(spent)
    # December 2026 has 23 working days.
    assert in_dollars(found.next_month.expected) == pytest.approx(23 * 20, rel=0.02)
    assert in_dollars(found.this_month.expected) == pytest.approx(21 * 20, rel=0.02)


def test_one_day_that_ran_away_does_not_move_the_limit() -> None:
    calm = advised(steady(40))
    wild = advised(steady(40) | {TODAY - timedelta(12): 900 * PICODOLLARS})
    assert wild.next_month.expected == calm.next_month.expected
    assert wild.dearest == (TODAY - timedelta(12), 900 * PICODOLLARS)


def test_a_trend_that_is_sure_is_followed() -> None:
    spent = {TODAY - timedelta(back): (200 - 2 * back) * PICODOLLARS for back in range(1, 60)}
    found = advised(spent)
    # $2 more each day: December 1st is 10 days ahead of today's $200, the 31st 40.
    december = sum(200 + 2 * ahead for ahead in range(10, 41))
    assert in_dollars(found.next_month.expected) == pytest.approx(december, rel=0.03)
    assert found.trend > 1.2


def test_noise_is_no_trend() -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    spent = {TODAY - timedelta(back): chance.randrange(5, 15) * PICODOLLARS for back in range(1, 60)}
    assert advised(spent).trend == 1.0


@pytest.mark.parametrize("days", [1, 2, 5, ENOUGH_DAYS - 1])
def test_few_days_give_a_range_and_say_so(days: int) -> None:
    chance = random.Random(days)  # noqa: S311 - no secret
    spent = {TODAY - timedelta(back): chance.randrange(2, 30) * PICODOLLARS for back in range(1, days + 1)}
    found = advised(spent)
    assert not found.enough
    assert found.highest > found.limit


def test_nothing_is_advised_before_a_whole_day_was_seen() -> None:
    assert advise_limit({}, TODAY) is None
    assert advise_limit({TODAY: 5 * PICODOLLARS}, TODAY) is None
    assert advise_limit({TODAY - timedelta(3): 0}, TODAY) is None


def test_last_month_shows_when_the_limit_would_have_been_reached() -> None:
    spent = steady(20) | {date(2026, 10, day): 40 * PICODOLLARS for day in range(1, 32)}
    found = advised(spent)
    last = found.last_month
    assert last is not None
    assert (last.month, last.seen_from, in_dollars(last.spent)) == (
        date(2026, 10, 1),
        date(2026, 10, 1),
        1240,
    )
    assert last.reached_on == date(2026, 10, 1) + timedelta(found.limit // (40 * PICODOLLARS))
    assert last.beyond == last.spent - found.limit


def test_a_month_of_which_little_was_seen_says_since_when() -> None:
    last = advised(steady(25)).last_month
    assert last is not None
    assert (last.seen_from, in_dollars(last.spent), last.reached_on) == (date(2026, 10, 27), 50, None)
    assert advised(steady(20)).last_month is None


@given(st.integers(1, 80), st.integers(1, 10**16), st.integers(0, 400), st.randoms(use_true_random=False))
def test_the_limit_is_20_to_30_per_cent_above_what_is_expected(
    days: int, most: int, offset: int, chance: random.Random
) -> None:
    today = TODAY + timedelta(offset)
    spent = {today - timedelta(back): chance.randint(1, most) for back in range(days + 1)}
    found = advised(spent, today)
    expected = max(found.this_month.expected, found.next_month.expected)
    cent = PICODOLLARS // 100
    assert expected * 1.2 <= found.limit <= expected * 1.3 + cent
    assert found.highest >= found.limit
    for ahead in (found.this_month, found.next_month):
        assert ahead.so_far <= ahead.low <= ahead.expected <= ahead.high


@given(st.integers(1, 10**7))
def test_round_numbers_lie_between(amount: int) -> None:
    low, high = amount * PICODOLLARS * 6 // 5, amount * PICODOLLARS * 13 // 10
    found = round_between(low, high)
    assert low <= found <= high
    digits = len(str(found).rstrip("0"))
    rounder = 10 ** (len(str(found)) - digits + 1)
    assert low // rounder == high // rounder, "a rounder number lies between"
    assert low % rounder


def test_four_months_in_five_lie_within_the_interval() -> None:
    inside = 0
    for seed in range(200):
        chance = random.Random(seed)  # noqa: S311 - no secret
        spent = {TODAY + timedelta(day): int(chance.gauss(100, 30) * PICODOLLARS) for day in range(-60, 41)}
        known = {day: amount for day, amount in spent.items() if day < TODAY}
        ahead = advised(known).next_month
        real = sum(amount for day, amount in spent.items() if day.month == 12)
        inside += ahead.low <= real <= ahead.high
    assert 145 <= inside <= 178  # 160 expected
