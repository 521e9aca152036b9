"""When letting content go pays: sums done by hand, and that no account is ever overdrawn by the decision."""

from __future__ import annotations

from fractions import Fraction
from math import exp, inf, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.carry.worth import (
    Moment,
    Result,
    Summary,
    choose_clearing,
    choose_compaction,
    now_costs,
    summary_costs,
)
from scrimp.core.carry.worth_account import RISK, Account
from scrimp.core.carry.worth_lasting import Lasting
from scrimp.core.carry.worth_missed import Claims, Misses, Out, reserve
from scrimp.core.carry.worth_strangers import Strangers, was_cached
from scrimp.core.gaps import Chances
from scrimp.core.worth import Event
from scrimp.facts.prices import Rates

# Claude Opus 5, picodollars a token.
PLAIN, WRITE_5M, READ, OUTPUT = 5_000_000, 6_250_000, 500_000, 25_000_000
RATES = Rates(PLAIN, WRITE_5M, 10_000_000, READ, OUTPUT)
RICH = Account(alone=10**15, paid=0)


def never_missed(*tools: str) -> Misses:
    """So much of these tools' results has been out unmissed that hardly any can be expected to be missed."""
    misses = Misses()
    for tool in tools:
        misses.passed(Out(10**15, tool, 1), 10**6)
    return misses


def moment(total: int, cached: int, *entries: int, calls: float = 1.0) -> Moment:
    return Moment(total, cached, entries, calls, RATES, WRITE_5M)


@given(
    removed=st.integers(1, 200_000),
    kept=st.integers(0, 200_000),
    static=st.integers(0, 30_000),
    calls=st.integers(1, 60),
)
def test_warm_clearing_pays_exactly_when_the_reads_saved_exceed_what_is_written_again(
    removed: int, kept: int, static: int, calls: int
) -> None:
    read, write = Fraction(READ, PLAIN), Fraction(WRITE_5M, PLAIN)
    pays = calls * read * removed > kept * (write - read)
    total = static + removed + kept
    at = moment(total, total, static, total, calls=float(calls))
    found = choose_clearing(
        at,
        [Result("x", removed, static, 10)],
        misses=never_missed("x"),
        account=RICH,
        waited=10**18,
        risk=1.0,
    )
    worth = calls * read * removed - kept * (write - read)
    if abs(worth) * PLAIN < 1_000 * removed:  # what is still expected to be missed, next to nothing
        return
    assert (found is not None) == pays
    if found is not None:
        assert found.acts
        assert (found.count, found.removed) == (1, removed)
        assert found.saves == pytest.approx(float(worth * PLAIN), rel=1e-3, abs=1_000.0 * removed)


def test_what_a_break_costs_is_what_is_written_again_less_what_goes() -> None:
    # 100 K warm; after 40 K ends an entry, at 45 K stands what goes, 20 K of it: 40 K are written, not 60 K.
    at = moment(100_000, 100_000, 10_000, 40_000, 100_000)
    assert now_costs(at, 20_000, 45_000) == 40_000 * WRITE_5M + 40_000 * READ - 100_000 * READ
    # Cold, everything is written anyway, and 20 K less of it.
    assert now_costs(moment(100_000, 0), 20_000, 45_000) == -20_000 * WRITE_5M


def test_the_oldest_results_go_as_far_as_they_are_worth_it() -> None:
    misses = never_missed("log")
    for _ in range(10_000):
        misses.missed("map")  # what this tool gives is needed again and again
    at = moment(90_000, 0, calls=5.0)
    results = [
        Result("log", 10_000, 5_000, 9),
        Result("log", 8_000, 16_000, 8),
        Result("map", 9_000, 25_000, 7),
    ]
    found = choose_clearing(at, results, misses=misses, account=RICH)
    assert found is not None
    assert (found.count, found.removed, found.acts) == (2, 18_000, True)
    assert found.now == -18_000 * WRITE_5M


def test_nothing_goes_before_carrying_it_has_cost_as_much_as_letting_it_go() -> None:
    at = moment(100_000, 100_000, 10_000, 100_000, calls=50.0)
    results = [Result("log", 40_000, 10_000, 9)]
    breaking = 50_000 * (WRITE_5M - READ) - 40_000 * READ
    for waited, acts in ((breaking - 1, False), (breaking, True)):
        found = choose_clearing(at, results, misses=never_missed("log"), account=RICH, waited=waited)
        assert found is not None
        assert (found.now, found.acts) == (breaking, acts)


def test_a_conversation_risks_what_it_saved_and_a_small_share_of_what_it_cost() -> None:
    assert Account(alone=1_000_000, paid=1_000_000).may_lose(0.01) == 10_000
    assert Account(alone=1_000_000, paid=900_000).may_lose(0.01) == 110_000
    assert Account().after(500, 700).after(500, 200) == Account(1_000, 900)
    at = moment(100_000, 100_000, 10_000, 100_000, calls=50.0)
    results = [Result("log", 40_000, 10_000, 9)]
    breaking = 50_000 * (WRITE_5M - READ) - 40_000 * READ
    for saved, acts in ((breaking // 2, False), (3 * breaking, True)):
        account = Account(alone=saved, paid=0)
        found = choose_clearing(at, results, misses=never_missed("log"), account=account, waited=10**15)
        assert found is not None
        assert found.acts == acts
        assert acts == (found.why == "saves more than it costs")


@given(
    results=st.lists(st.tuples(st.integers(1, 30_000), st.integers(1, 40)), min_size=1, max_size=12),
    rest=st.integers(0, 100_000),
    warm=st.booleans(),
    calls=st.floats(1, 80),
    account=st.tuples(st.integers(0, 10**13), st.integers(0, 10**13)),
    waited=st.integers(0, 10**13),
)
def test_whatever_is_decided_the_account_can_bear_that_it_ends_at_once(
    results: list[tuple[int, int]],
    rest: int,
    warm: bool,
    calls: float,
    account: tuple[int, int],
    waited: int,
) -> None:
    total = 10_000 + sum(tokens for tokens, _ in results) + rest
    at = moment(total, total if warm else 0, *((10_000, total) if warm else ()), calls=calls)
    found = [Result("x", tokens, 10_000, age) for tokens, age in results]
    books = Account(*account)
    goes = [one.out for one in found]
    for choice in (
        choose_clearing(at, found, misses=Misses(), account=books, waited=waited),
        choose_compaction(at, Summary(2_000, 10_000, goes), misses=Misses(), account=books, waited=waited),
    ):
        if choice is not None and choice.acts:
            assert choice.saves > 0
            assert choice.now <= books.saved + RISK * books.alone
            assert not warm or waited >= choice.now


@given(
    static=st.integers(0, 30_000),
    said=st.integers(40_000, 300_000),
    summary=st.integers(100, 9_000),
    calls=st.integers(1, 60),
)
def test_warm_compaction_pays_when_the_reads_saved_exceed_the_summary_and_its_writing(
    static: int, said: int, summary: int, calls: int
) -> None:
    before, after = static + said, static + summary
    read, write, output = (Fraction(rate, PLAIN) for rate in (READ, WRITE_5M, OUTPUT))
    saved = calls * read * (before - after)
    costs = read * before + output * summary + (write - read) * (after - static)
    at = moment(before, before, *((static, before) if static else (before,)), calls=float(calls))
    made = Summary(summary, static, [Out(said - summary, "x", 5)])
    found = choose_compaction(at, made, misses=never_missed("x"), account=RICH, waited=10**18, risk=1.0)
    worth = (saved - costs) * PLAIN
    if abs(worth) < 1_000 * said:
        return
    assert (found is not None) == (worth > 0)
    if found is not None:
        assert found.saves == pytest.approx(float(worth), rel=1e-3, abs=1_000.0 * said)


def test_a_cold_summary_is_written_from_plain_input() -> None:
    at = moment(100_000, 0, calls=20.0)
    assert summary_costs(at, 4_000) == 100_000 * PLAIN + 4_000 * OUTPUT
    found = choose_compaction(at, Summary(4_000, 10_000, []), misses=Misses(), account=RICH)
    assert found is not None
    assert found.cost == 100_000 * PLAIN + 4_000 * OUTPUT
    # Without it the whole prompt would be written; with it only what is left of it.
    assert found.now == found.cost + 14_000 * WRITE_5M - 100_000 * WRITE_5M
    assert found.saves == 19 * READ * 86_000 - found.now


def test_what_is_hardly_longer_than_a_summary_is_not_summed_up() -> None:
    at = moment(25_000, 0, calls=60.0)
    assert choose_compaction(at, Summary(4_000, 10_000, []), misses=Misses(), account=RICH) is None


def test_the_reserve_is_lundbergs_bound_for_claims_of_one_size() -> None:
    size, rate, earned = 10_000.0, 0.05, 2_000.0
    held = reserve(Claims(rate, size), earned)
    # The coefficient k solves rate * (exp(k * size) - 1) = k * earned; ruin is at most exp(-k * held).
    k = log(1 / 0.02) / held
    assert rate * (exp(k * size) - 1.0) == pytest.approx(k * earned, rel=1e-6)
    assert reserve(Claims(rate, size), rate * size) == inf
    assert reserve(Claims(), 0.0) == 0.0


def test_what_is_missed_is_learned_by_tool_and_fades_with_age() -> None:
    misses = Misses()
    first = misses.per_token("look")
    young, old = (misses.expected(Out(1_000, "look", age), 1.0) for age in (1, 50))
    assert young > 50 * old
    assert misses.expected(Out(2_000, "look", 50), 1.0) == pytest.approx(2 * old)
    # From the age of ten on, forty uses bring it to where one over the square root has halved.
    halfway = misses.expected(Out(1_000, "look", 10), 30.0)
    assert halfway == pytest.approx(1_000 * first * (1 - sqrt(10 / 40)))
    misses.passed(Out(10_000_000, "look", 10), 10_000_000)
    assert misses.per_token("look") < first / 20
    assert misses.per_token("other") == first
    for _ in range(500):
        misses.missed("other")
    assert misses.per_token("other") > 10 * first


def test_a_conversation_that_comes_back_cold_begins_to_count_anew() -> None:
    lasting = Lasting()
    assert lasting.observe(b"1", b"", 0.0, 300, "a") == 1
    assert lasting.observe(b"2", b"1", 200.0, 300, "a") == 2
    assert lasting.observe(b"3", b"2", 600.0, 300, "a") == 1
    soon = Event(0, ((Chances(1.0, 0.9, 0.0),),))
    # One conversation lasted two calls: after the first one more came, as four counts say at most.
    assert lasting.calls_to_come(1, soon, "a", for_1h=False) == pytest.approx((4 * 1 + 1) / 5)
    assert lasting.calls_to_come(2, soon, "b", for_1h=False) == 2.0


def test_what_was_learned_outlives_the_process_and_junk_is_passed_over() -> None:
    misses, lasting = Misses(), Lasting()
    misses.passed(Out(1_000_000, "look", 10), 30)
    misses.missed("look")
    again = Misses()
    again.recall({**misses.learned(), "nonsense": (-1.0, 5.0), "": (float("nan"), 1.0)})
    assert again.per_token("look") == pytest.approx(misses.per_token("look"))
    assert again.per_token("nonsense") == Misses().per_token("nonsense")
    for number in range(3):
        lasting.observe(b"%d" % number, b"", 1_000.0 * number, 300, "a")
    assert lasting.learned() == {"a": [1, 1]}
    other = Lasting()
    other.recall({"a": [4, -2], "b": []})
    assert other.learned()["a"] == [4]


def test_what_only_reports_a_change_is_hardly_ever_missed() -> None:
    misses = Misses()
    assert misses.per_token("str_replace_editor") < misses.per_token("Read") / 5


def test_a_conversation_met_in_the_middle_counts_as_cached_until_it_is_known_that_they_are_not() -> None:
    strangers = Strangers()
    strangers.looked(1_000.0)
    strangers.looked(2_000.0)
    for _ in range(3):
        assert strangers.may_be_cached(1_000.0 + 4_000.0)
        strangers.met(found=False)
    assert not strangers.may_be_cached(1_000.0 + 3_600.0)  # one in seven
    assert strangers.may_be_cached(1_000.0 + 3_599.0)  # what an earlier process wrote may live
    strangers.met(found=True)
    assert strangers.may_be_cached(1_000.0 + 4_000.0)
    assert not was_cached(read=20_000, total=100_000, static=20_000)  # tools and system are everybody's
    assert was_cached(read=90_000, total=100_000, static=20_000)
