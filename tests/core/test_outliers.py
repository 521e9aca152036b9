"""Who stands out: a robust bound, worked out here by the statistics module."""

from __future__ import annotations

from math import exp, log
from statistics import median_low

from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.outliers import Outlier, Peers, Rule, outliers

USD = 10**12
EVEN = {f"u{number}": 2 * USD for number in range(10)}


def test_one_far_above_the_others_is_named() -> None:
    assert outliers(EVEN | {"big": 20 * USD}) == [Outlier("big", 20 * USD, 2 * USD, 11)]
    assert outliers(EVEN | {"big": 20 * USD})[0].times == 10


def test_several_come_dearest_first_and_do_not_hide_one_another() -> None:
    found = outliers(EVEN | {"a": 30 * USD, "b": 50 * USD, "c": 30 * USD})
    assert [one.name for one in found] == ["b", "a", "c"]


def test_little_times_or_little_money_is_nobody() -> None:
    assert outliers(EVEN | {"big": 8 * USD}) == []
    assert outliers(dict.fromkeys(EVEN, USD // 1000) | {"big": USD // 2}) == []


def test_few_peers_have_no_outliers() -> None:
    few = dict(list(EVEN.items())[:6])
    assert outliers(few | {"big": 1000 * USD}) == []
    assert outliers(few | {"free": 0, "big": 1000 * USD}) == []
    assert outliers({}) == []


def test_where_spending_is_spread_far_means_farther() -> None:
    spread = {f"u{number}": 2**number * USD for number in range(10)}
    assert outliers(spread | {"big": 2**12 * USD}) == []
    assert [one.name for one in outliers(spread | {"big": 2**40 * USD})] == ["big"]


spending = st.dictionaries(
    st.text("abcdefghijkl", min_size=1, max_size=2), st.integers(0, 10**15), max_size=30
)


@given(spending)
def test_the_bound_is_the_modified_z_score(spent: dict[str, int]) -> None:
    known = [amount for amount in spent.values() if amount]
    expected = set()
    if len(known) >= 8:
        typical = median_low(known)
        spread = 1.4826 * median_low([abs(log(amount) - log(typical)) for amount in known])
        bound = max(exp(log(typical) + max(log(4), 3.5 * spread)), USD)
        expected = {name for name, amount in spent.items() if amount > bound * (1 + 1e-9)}
        tolerated = {name for name, amount in spent.items() if amount > bound * (1 - 1e-9) - 1}
    else:
        tolerated = set()
    assert expected <= {one.name for one in outliers(spent)} <= tolerated


def test_calls_add_up_until_one_is_told_once() -> None:
    peers = Peers()
    for name in list(EVEN) * 2:
        assert peers.add(name, USD) is None
    told = [peers.add("big", USD) for _ in range(30)]
    [at] = [number for number, one in enumerate(told) if one is not None]
    assert told[at] == Outlier("big", 9 * USD, 2 * USD, 11)


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.integers(1, 50 * USD)), max_size=120))
def test_whoever_is_told_stood_out_then(calls: list[tuple[str, int]]) -> None:
    peers, spent, told = Peers(), dict[str, int](), set()
    for name, amount in calls:
        spent[name] = spent.get(name, 0) + amount
        found = peers.add(name, amount)
        if found is not None:
            assert found in outliers(spent)
            assert name not in told
            told.add(name)


def test_memory_is_bounded_and_the_rule_is_the_caller_s() -> None:
    peers = Peers(Rule(peers=2, least=1, times=2.0), most=3)
    for number in range(100):
        assert peers.add(str(number), 10) is None
    assert len(peers._spent) == 3
    assert peers.add("99", 1000) is not None
    assert peers.add("99", 1000) is None
    for number in range(100, 110):
        peers.add(str(number), 10)
    assert peers.add("99", 1000) is not None  # whom it has forgotten it tells of again
    assert len(peers) == len(peers._told) + 2 == 3
