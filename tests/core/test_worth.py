"""What an entry is worth: the fixed point found by plain iteration, and the published rules of thumb."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scrimp.core.worth import Chances, Event, pausing, worth
from scrimp.facts.prices import Rates

OPUS_5 = Rates(5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000)
HAIKU = Rates(1_000_000, 1_250_000, 2_000_000, 100_000, 5_000_000)
ODD = Rates(3_000_000, 3_900_000, 4_100_000, 1_200_000, 15_000_000)
RATES = st.sampled_from([OPUS_5, HAIKU, ODD])
KEPT = 0.95  # how much each later use counts against the one before

PROBABILITIES = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda two: (two[0], (1 - two[0]) * two[1]))


def always(within_5m: float, within_1h: float = 0.0) -> Event:
    return Event(0, ((Chances(1.0, within_5m, within_1h),),))


def iterated(within_5m: float, within_1h: float, rates: Rates) -> tuple[float, float, float]:
    """`v = q (C - r + v)` for both lifetimes, with `C` the cheapest of plain and two writes, from zero up.

    In half steps: whole ones swing to and fro.
    """
    soon, stays = KEPT * within_5m, KEPT * (within_5m + within_1h)
    v5 = v1 = 0.0
    without = float(rates.input)
    for _ in range(5000):
        v5, v1 = soon * (without - rates.read + v5), stays * (without - rates.read + v1)
        without = min(rates.input, (without + rates.write_5m - v5) / 2, (without + rates.write_1h - v1) / 2)
    return v5, v1, without


@given(PROBABILITIES, RATES)
def test_the_same_chances_for_ever_give_the_fixed_point(chances: tuple[float, float], rates: Rates) -> None:
    found = worth(always(*chances), rates)
    v5, v1 = found.for_5m, found.for_1h
    soon, stays = KEPT * chances[0], KEPT * sum(chances)
    saved = found.without - rates.read
    assert v5 == pytest.approx(soon * (saved + v5), abs=1e-3)
    assert v1 == pytest.approx(stays * (saved + v1), abs=1e-3)
    assert found.without == pytest.approx(
        min(rates.input, rates.write_5m - v5, rates.write_1h - v1), abs=1e-3
    )


@pytest.mark.parametrize(
    "chances", [(0.0, 0.0), (0.1, 0.1), (0.3, 0.0), (0.9, 0.05), (0.05, 0.85), (0.4, 0.5)]
)
@pytest.mark.parametrize("rates", [OPUS_5, HAIKU])
def test_iterating_from_nothing_comes_to_the_same(chances: tuple[float, float], rates: Rates) -> None:
    found = worth(always(*chances), rates)
    assert (found.for_5m, found.for_1h, found.without) == pytest.approx(iterated(*chances, rates), rel=1e-6)


@given(st.floats(0, 1), st.floats(0, 1), RATES)
def test_more_likely_uses_make_entries_worth_more(one: float, other: float, rates: Rates) -> None:
    low, high = min(one, other), max(one, other)
    assert worth(always(low), rates).for_5m <= worth(always(high), rates).for_5m + 1e-3
    assert worth(always(0.0, low), rates).for_1h <= worth(always(0.0, high), rates).for_1h + 1e-3


@given(PROBABILITIES, RATES)
def test_an_hour_holds_what_five_minutes_hold(chances: tuple[float, float], rates: Rates) -> None:
    found = worth(always(*chances), rates)
    assert 0.0 <= found.for_5m <= found.for_1h + 1e-3
    assert rates.read <= found.without <= rates.input


@given(st.floats(0, 1), RATES)
def test_five_minutes_pay_by_the_rule_of_thumb(within_5m: float, rates: Rates) -> None:
    # q (w5 - r) > w5 - 1: 0.217 where a read costs a tenth and a write a quarter more.
    q = KEPT * within_5m
    gain = q * (rates.write_5m - rates.read) - (rates.write_5m - rates.input)
    assume(abs(gain) > 1)
    assert (worth(always(within_5m), rates).for_5m > rates.write_5m - rates.input) is (gain > 0)


@given(PROBABILITIES, st.sampled_from([OPUS_5, HAIKU]))
def test_an_hour_instead_pays_by_the_rule_of_thumb(chances: tuple[float, float], rates: Rates) -> None:
    # (w1 - w5) (1 + E[gaps > 1h]) < E[gaps in (5m, 1h]] (w5 - r) over the life of the tokens. A use comes too
    # late for the hour, or never, with probability `over`: so many chains of uses within the hour there are.
    soon, late = KEPT * chances[0], KEPT * chances[1]
    over = 1 - soon - late
    premium = (rates.write_1h - rates.write_5m) * over
    gain = late * (rates.write_5m - rates.read) - premium
    assume(abs(gain) > 1)
    found = worth(always(*chances), rates)
    assume(found.without < rates.input - 1)  # neither lifetime pays: no question which
    assert (rates.write_1h - found.for_1h < rates.write_5m - found.for_5m) is (gain > 0)


def test_a_use_that_is_sure_and_the_last() -> None:
    # After the last use nothing is worth a write: it costs plain input without an entry, a read with one.
    last = Event(0, ((Chances(1.0, 1.0, 0.0),), (Chances(1.0, 0.0, 0.0),)))
    found = worth(last, OPUS_5)
    assert found.for_5m == pytest.approx(0.95 * (5_000_000 - 500_000))
    assert found.for_1h == pytest.approx(found.for_5m)
    # Without an entry the first use would write for the second's sake: 6.25 less what that saves.
    assert found.without == pytest.approx(6_250_000 - 4_275_000)


def test_stages_follow_one_another() -> None:
    # Two sure steps, the second after ten minutes, then none.
    event = Event(0, ((Chances(1.0, 1.0, 0.0),), (Chances(1.0, 0.0, 1.0),), (Chances(1.0, 0.0, 0.0),)))
    found = worth(event, OPUS_5)
    # For the second: an entry of an hour saves 0.95 · 4.5 and one of five minutes nothing, so that without
    # any the first costs the least of 5 plain, 6.25 and 10 - 4.275.
    second_5m, second_1h, without = 0.0, 0.95 * 4_500_000, 5_000_000
    assert found.for_5m == pytest.approx(0.95 * (without - 500_000 + second_5m))
    assert found.for_1h == pytest.approx(0.95 * (without - 500_000 + second_1h))


def test_a_use_without_an_entry_may_be_the_one_to_buy_the_hour() -> None:
    # One quick step, then one every ten minutes: the first writes for an hour, 0.95 in 20 later ones read.
    event = Event(0, ((Chances(1.0, 1.0, 0.0),), (Chances(1.0, 0.0, 1.0),)))
    for_good = 0.05 * 10_000_000 + 0.95 * 500_000
    assert worth(event, OPUS_5).without == pytest.approx(for_good)
    assert worth(event, OPUS_5).for_5m == pytest.approx(0.95 * (for_good - 500_000))


def test_alternatives_that_hold_for_good_are_weighed_not_blended() -> None:
    either = Event(0, ((Chances(0.5, 1.0, 0.0), Chances(0.5, 0.0, 0.0)),))
    found = worth(either, OPUS_5)
    assert found.for_5m == pytest.approx(worth(always(1.0), OPUS_5).for_5m / 2)
    assert found.without == pytest.approx((worth(always(1.0), OPUS_5).without + 5_000_000) / 2)


def test_how_far_later_uses_count_is_the_events_own() -> None:
    # In the long run 1 / (1 - kept) uses: each costs a read instead of what a write and such reads cost.
    chances = ((Chances(1.0, 1.0, 0.0),),)
    for kept in (0.5, 0.95, 0.99):
        without = min(5_000_000, (1 - kept) * 6_250_000 + kept * 500_000)
        value = kept * (without - 500_000) / (1 - kept)
        assert worth(Event(0, chances, kept=kept), OPUS_5).for_5m == pytest.approx(value)


@pytest.mark.parametrize("proven", [0.0, 0.4, 1.0])
def test_what_an_hour_promises_beyond_five_minutes_must_be_proven(proven: float) -> None:
    chances = ((Chances(1.0, 0.3, 0.6),),)
    sure, found = worth(Event(0, chances), OPUS_5), worth(Event(0, chances, proven), OPUS_5)
    assert found.for_5m == sure.for_5m
    assert found.for_1h - found.for_5m == pytest.approx(proven * (sure.for_1h - sure.for_5m))


def test_how_likely_a_pause_is_before_the_last_use() -> None:
    # Quick uses go on until a pause (0.2) or none at all (0.3) comes: 0.2 / (0.2 + 0.3).
    assert pausing(always(0.5, 0.2)) == pytest.approx(0.4)
    stages = ((Chances(1.0, 0.8, 0.1),), (Chances(0.5, 0.0, 0.6), Chances(0.5, 0.0, 0.4)))
    assert pausing(Event(0, stages)) == pytest.approx(0.1 + 0.8 * 0.5)
    assert pausing(always(1.0)) == 0.0
