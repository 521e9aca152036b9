"""How many tokens replies are given by the lengths of those before: bounds, memory, what a cut changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.output.lengths import ENOUGH, Lengths, length, step_of

CERTAIN = 133
"""Replies whose longest is exceeded by the next in at most 3 of 400 cases: 1 / 134 < 3 / 400 < 1 / 133."""


def after(*tokens: int) -> Lengths:
    lengths = Lengths()
    for one in tokens:
        lengths.saw(one)
    return lengths


@given(st.integers(0, 2_000_000))
def test_a_step_holds_what_is_in_it_and_little_more(tokens: int) -> None:
    most = length(step_of(tokens))
    assert tokens <= most <= tokens + tokens // 8
    assert step_of(most) == step_of(tokens)
    assert step_of(most + 1) == step_of(tokens) + 1


def test_until_there_are_enough_the_table_speaks_or_twice_the_longest() -> None:
    assert Lengths().given(1_000, stretched=2) == 1_000
    assert after(100).given(1_000, stretched=2) == 1_000
    assert after(100, 8_000).given(1_000, stretched=2) == 2 * length(step_of(8_000))
    assert after(100, 8_000).given(1_000) == length(step_of(8_000))
    assert after(*[100] * (ENOUGH - 1)).given(1_000) == 1_000


@pytest.mark.parametrize("count", [ENOUGH, 40, 100, CERTAIN - 1])
def test_few_replies_are_stretched_by_the_root_of_what_is_missing(count: int) -> None:
    expected = 127 * math.sqrt(CERTAIN / count)  # 120 is in the step that ends at 127
    assert after(*[120] * count).given(0) == pytest.approx(expected, rel=0.01)


def test_with_enough_replies_the_bound_is_the_order_statistic() -> None:
    lengths = after(*range(1, 267))  # 3 in 400 of 267 is two: the second longest
    assert lengths.given(0) == length(step_of(265))
    assert after(*range(1, CERTAIN + 1)).given(0) == length(step_of(CERTAIN))


SPREADS: dict[str, Callable[[Random], float]] = {
    "even": lambda random: random.uniform(1, 5_000),
    "log-normal": lambda random: random.lognormvariate(5, 1.2),
    "heavy-tailed": lambda random: 50 * random.paretovariate(0.8),
    "two sorts": lambda random: 30 if random.random() < 0.95 else 3_000,
}


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("count", [CERTAIN + 1, 267, 401])
def test_of_any_replies_at_most_three_in_four_hundred_are_longer(spread: str, count: int) -> None:
    """Each in turn against the bound from all others, which is what it means that replies are alike."""
    random = Random(f"{spread} {count}")  # noqa: S311 - made-up lengths, no secrets
    tokens = [round(SPREADS[spread](random)) for _ in range(count)]
    missed = 0
    for at in range(count):
        missed += tokens[at] > after(*tokens[:at], *tokens[at + 1 :]).given(0)
    assert missed <= Fraction(3, 400) * count


def test_a_cut_raises_what_is_given_at_once() -> None:
    lengths = after(*[100] * 500)
    before = lengths.given(0)
    lengths.cut(before)
    assert lengths.given(0) >= 1.5 * before
    lengths.cut(lengths.given(0))
    assert lengths.given(0) >= 2.25 * before


def test_what_a_cut_raised_comes_down_after_a_hundred_replies() -> None:
    lengths = after(*[100] * 500)
    lengths.cut(111)
    for _ in range(99):
        lengths.saw(100)
        assert lengths.given(0) >= 166
    lengths.saw(100)
    assert lengths.given(0) == length(step_of(100))  # one in 512 is below the risk


def test_memory_is_bounded_and_what_is_kept_begins_another() -> None:
    lengths = after(*range(5_000))
    assert len(lengths.kept) == len(lengths) == 512
    assert Lengths(lengths.kept).given(0) == lengths.given(0)
    assert len(Lengths(bytes(100_000))) == 512
    assert Lengths(bytes(range(256))).given(0) > 0


def test_old_lengths_are_forgotten() -> None:
    lengths = after(*[20_000] * 100, *[50] * 512)
    assert lengths.given(0) == length(step_of(50))
