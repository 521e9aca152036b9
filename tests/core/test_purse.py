"""The budget of a run: nothing beyond it is held, and what inner runs take out of outer ones comes back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.budget import Held, Limit, Refusal, Scope, Settlement
from scrimp.core.purse import Purse


def purse(amount: int, outer: Purse | None = None, key: str = "inner") -> Purse:
    made = Purse(Limit(scope=Scope("run", key), amount=amount), key, outer)
    assert made.open() is None
    return made


def test_a_hold_beyond_what_is_left_is_refused_and_says_what_there_is() -> None:
    run = purse(100)
    assert isinstance(run.reserve("a", 60), Held)
    run.settle(Settlement("a", 45))
    assert isinstance(run.reserve("b", 40), Held)

    refused = run.reserve("c", 16)  # 45 spent and 40 held leave 15

    assert isinstance(refused, Refusal)
    assert (refused.spent, refused.held, refused.asked, refused.limit.amount) == (45, 40, 16, 100)
    assert isinstance(run.reserve("c", 15), Held)


def test_a_bill_above_its_hold_counts_in_full_and_is_flagged() -> None:
    run = purse(100)
    run.reserve("a", 60)
    run.settle(Settlement("a", 110))
    assert (run.spent, run.overrun, run.left) == (110, 50, -10)
    assert isinstance(run.reserve("b", 0), Refusal)


def test_an_inner_run_takes_its_budget_out_of_the_outer_one_and_gives_the_rest_back() -> None:
    outer = purse(200)
    inner = purse(150, outer)
    assert outer.left == 50
    assert isinstance(outer.reserve("own", 51), Refusal)

    inner.reserve("a", 100)
    inner.settle(Settlement("a", 30))
    inner.close()

    assert (outer.spent, outer.held, outer.left) == (30, 0, 170)


def test_an_inner_run_that_the_outer_one_cannot_pay_for_does_not_begin() -> None:
    outer = purse(100)
    outer.reserve("own", 60)
    refused = Purse(Limit(scope=Scope("run", "x"), amount=41), "x", outer).open()
    assert isinstance(refused, Refusal)
    assert refused.limit is outer.limit
    assert refused.asked == 41


def test_a_call_that_outlives_its_inner_run_is_paid_for_by_the_outer_one() -> None:
    outer = purse(200)
    inner = purse(150, outer)
    inner.reserve("stream", 100)
    inner.close()
    assert outer.left == 100  # the stream's hold is all that is left of what was carved
    inner.settle(Settlement("stream", 70))
    assert (outer.spent, outer.held) == (70, 0)


def test_a_call_that_begins_after_its_run_is_over_is_paid_for_by_the_outer_one() -> None:
    outer = purse(100)
    inner = purse(100, outer)
    inner.close()
    assert isinstance(outer.reserve("own", 60), Held)
    assert isinstance(inner.reserve("late", 41), Refusal)  # the outer run has 40 left
    assert isinstance(inner.reserve("late", 40), Held)
    assert outer.left == 0
    inner.settle(Settlement("late", 25))
    outer.release("own")
    assert (outer.spent, outer.held) == (25, 0)


def test_two_runs_of_one_name_side_by_side() -> None:
    outer = purse(100)
    first, second = purse(40, outer, "one"), purse(40, outer, "two")
    assert outer.left == 20
    first.reserve("a", 10)
    first.settle(Settlement("a", 10))
    first.close()
    assert outer.left == 50
    second.close()
    assert outer.left == 90


def test_a_run_entered_again_goes_on_with_what_it_had_left() -> None:
    outer = purse(100)
    inner = purse(40, outer)
    inner.reserve("a", 30)
    inner.settle(Settlement("a", 30))
    inner.close()
    assert inner.open() is None
    assert (inner.left, outer.left) == (10, 60)
    inner.reserve("b", 10)
    inner.settle(Settlement("b", 5))
    inner.close()
    assert (outer.spent, outer.left) == (35, 65)


def test_a_run_entered_again_while_a_call_is_under_way_frees_nothing() -> None:
    outer = purse(100)
    inner = purse(100, outer)
    inner.reserve("stream", 100)
    inner.close()
    assert inner.open() is None
    assert (inner.left, outer.left) == (0, 0)
    inner.settle(Settlement("stream", 90))
    assert (inner.left, outer.left) == (10, 0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release", "close", "open"]),
        st.integers(0, 2),  # whose: outer, inner, innermost
        st.integers(0, 5),  # which hold
        st.integers(0, 60),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(steps=steps, closing=st.permutations([1, 2]))
def test_nothing_is_spent_beyond_the_outer_budget_and_nothing_is_lost(
    steps: list[tuple[str, int, int, int]], closing: list[int]
) -> None:
    """Bills within their holds: all purses together spend what the bills say, never above the outer limit."""
    outer = purse(100, key="outer")
    inner = purse(70, outer)
    tree = [outer, inner, purse(50, inner, "innermost")]
    holds: dict[tuple[int, int], int] = {}
    billed = 0
    for what, whose, which, amount in steps:
        key, hold = (whose, which), f"{whose}-{which}"
        if what == "reserve" and key not in holds:
            if isinstance(tree[whose].reserve(hold, amount), Held):
                holds[key] = amount
        elif what == "settle" and key in holds:
            bill = min(amount, holds.pop(key))
            tree[whose].settle(Settlement(hold, bill))
            billed += bill
        elif what == "release" and holds.pop(key, None) is not None:
            tree[whose].release(hold)
        elif what == "close" and whose:
            tree[whose].close()
        elif what == "open":
            tree[whose].open()
        assert outer.spent + outer.held <= 100
        assert billed + sum(holds.values()) <= 100
    for which in closing:
        tree[which].close()
    for (whose, which), amount in holds.items():
        tree[whose].settle(Settlement(f"{whose}-{which}", amount))
        billed += amount
    assert (outer.spent, outer.held, outer.overrun) == (billed, 0, 0)
