"""The books by themselves: whatever happens in whatever order, every picodollar held is accounted for."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scrimp.core.budget import EACH, Ask, Held, Limit, Refusal, Scope, Settlement, scopes_of
from scrimp.core.budget_books import Account, Books, Charge
from scrimp.core.budget_terms import Term, Terms
from scrimp.core.record import Tags

NOON = 1_780_000_000.0
ORGANISATION = Scope("organisation")
TAGS = [Tags(user="ann"), Tags(user="bob", run=("x",)), Tags(run=("x", "y"), team="t")]
LIMITS = [
    Limit(scope=ORGANISATION, amount=300),
    Limit(scope=ORGANISATION, amount=200, window="day"),
    Limit(scope=Scope("user", EACH), amount=120),
    Limit(scope=Scope("run", "x"), amount=90, window="month"),
]


def books(*limits: Limit) -> Books:
    found = Books()
    found.terms = Terms(Term(limit, limit.id, UTC) for limit in limits)
    return found


class Hold:
    """What a caller knows of the money it holds."""

    def __init__(self, asked: Ask) -> None:
        self.asked = asked
        self.lapsed = False


class _Spending(RuleBasedStateMachine):
    """Calls that are held before they go out; `most` is the most a bill may exceed its hold by."""

    most = 0

    def __init__(self) -> None:
        super().__init__()
        self.books = books(*LIMITS)
        self.now = NOON
        self.holds: dict[str, Hold] = {}
        self.reserved = self.billed = self.left = self.released = self.excess = 0
        self.number = 0

    @rule(amount=st.integers(0, 70), tags=st.sampled_from(TAGS), lease=st.sampled_from([5.0, 500.0]))
    def ask(self, amount: int, tags: Tags, lease: float) -> None:
        self.number += 1
        asked = Ask(f"{self.number}", amount, self.now, self.now + lease, scopes_of(tags))
        before = {key: (account.spent, account.held) for key, account in self.books.accounts.items()}
        found = self.books.reserve(asked)
        if isinstance(found, Held):
            self.holds[asked.id] = Hold(asked)
            self.reserved += amount
            return
        assert found.spent + found.held + amount > found.limit.amount
        after = {key: (account.spent, account.held) for key, account in self.books.accounts.items()}
        assert all(after[key] == counts for key, counts in before.items())

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), above=st.integers(0, 100))
    def settle(self, data: Any, above: int) -> None:
        hold = self.holds.pop(data.draw(st.sampled_from(sorted(self.holds))))
        amount = hold.asked.amount
        cost = amount + min(above, self.most) if above > 50 else amount * above // 50
        charge = Charge(hold.asked.id, self.now, hold.asked.scopes, cost)
        self.books.book(charge, Settlement(hold.asked.id, cost), new=True)
        self.billed += cost
        self.left += max(0, amount - cost)
        self.excess += max(0, cost - amount)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        hold = self.holds.pop(data.draw(st.sampled_from(sorted(self.holds))))
        self.books.release(hold.asked.id)
        self.released += hold.asked.amount

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for id_ in self.books.due(self.now):
            assert self.books.lapse(id_, recorded=False)
            self.holds[id_].lapsed = True

    @invariant()
    def every_picodollar_is_accounted_for(self) -> None:
        """Every call counts for the organisation: what was ever held is billed, left, released or open."""
        [account] = [
            account for key, account in self.books.accounts.items() if key.series == "organisation/total"
        ] or [Account()]
        taken = self.billed - self.excess
        assert self.reserved == taken + self.left + self.released + account.held + account.unsettled
        assert account.spent == self.billed + account.unsettled
        assert account.held == sum(h.asked.amount for h in self.holds.values() if not h.lapsed)
        assert account.overrun == self.excess

    @invariant()
    def no_limit_is_exceeded_by_more_than_is_flagged(self) -> None:
        amounts = {limit.id: limit.amount for limit in LIMITS}
        for key, account in self.books.accounts.items():
            assert account.spent + account.held <= amounts[key.series] + account.overrun
            assert 0 <= account.unsettled <= account.spent
            assert account.held >= 0


class _Overrunning(_Spending):
    most = 40


TestSpendingWithinHolds = _Spending.TestCase
TestSpendingWithinHolds.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestSpendingBeyondHolds = _Overrunning.TestCase
TestSpendingBeyondHolds.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


def test_within_holds_nothing_is_ever_flagged() -> None:
    """What the invariant above allows for is zero where every bill is within its hold."""
    found = books(Limit(scope=ORGANISATION, amount=100))
    for number in range(10):
        held = found.reserve(Ask(f"{number}", 10, NOON, NOON + 9, (ORGANISATION,)))
        assert isinstance(held, Held)
        found.book(Charge(f"{number}", NOON, (ORGANISATION,), 10), Settlement(f"{number}", 10), new=True)
    [account] = found.accounts.values()
    assert (account.spent, account.held, account.overrun) == (100, 0, 0)
    assert isinstance(found.reserve(Ask("more", 1, NOON, NOON + 9, (ORGANISATION,))), Refusal)
    assert isinstance(found.reserve(Ask("nothing", 0, NOON, NOON + 9, (ORGANISATION,))), Held)


def test_changes_are_what_a_store_has_to_write() -> None:
    found = books(Limit(scope=ORGANISATION, amount=100))
    found.reserve(Ask("a", 10, NOON, NOON + 9, (ORGANISATION,)))
    found.reserve(Ask("b", 99, NOON, NOON + 9, (ORGANISATION,)))
    changes = found.changes
    assert [(key.series, account.held) for key, account in changes.accounts.items()] == [
        ("organisation/total", 10)
    ]
    assert {id_: hold and hold.amount for id_, hold in changes.holds.items()} == {"a": 10}
    assert [(event.kind, event.hold, event.amount) for event in changes.events] == [("refusal", "b", 99)]
    changes.clear()
    found.book(Charge("a", NOON, (ORGANISATION,), 4), Settlement("a", 6), new=True)
    assert changes.holds == {"a": None}
    assert [(extra.id, extra.amount) for extra in changes.extras] == [("a", 2)]


SCOPES = scopes_of(
    Tags(run=("n", "r"), run_ids=("1", "2"), user="u", task_type="report", agent="main", team="x", key="ci")
)


def test_a_call_is_within_every_scope_of_its_tags() -> None:
    assert [str(scope) for scope in SCOPES] == [
        "organisation", "team:x", "user:u", "key:ci", "task:report", "agent:main",
        "run:n", "run:n/r", "run:1", "run:2",
    ]  # fmt: skip


@given(
    scopes=st.lists(st.sampled_from([*SCOPES, Scope("user", "v")]), min_size=1, unique=True),
    at=st.floats(0, 2e9),
)
def test_a_call_counts_wherever_a_limit_names_it(scopes: list[Scope], at: float) -> None:
    limits = [Limit(scope=scope, amount=9) for scope in scopes]
    limits += [Limit(scope=Scope(kind, EACH), amount=9, window="day") for kind in ("user", "run")]
    found = Terms(Term(limit, limit.id, UTC) for limit in limits).places(SCOPES, at)
    expected = [f"{scope}/total" for scope in scopes if scope in SCOPES]
    expected += ["user:*/day", *["run:*/day"] * 4]
    assert sorted(found.limits) == sorted(expected)
    assert found.since <= at < found.until


@pytest.mark.parametrize(
    ("spent", "told"), [(49, []), (50, [50]), (79, [50]), (80, [50, 80]), (300, [50, 80, 99])]
)
def test_alerts_begin_at_their_whole_share(spent: int, told: list[int]) -> None:
    found = books(Limit(scope=ORGANISATION, amount=100, alert_at=(99, 80, 50)))
    crossed = found.book(Charge("a", NOON, (ORGANISATION,), spent), None, new=True)
    assert [crossing.percent for crossing in crossed] == told


def test_a_share_that_is_no_whole_picodollar_is_reached_above_it() -> None:
    found = books(Limit(scope=ORGANISATION, amount=7, alert_at=(50,)))
    assert found.book(Charge("a", NOON, (ORGANISATION,), 3), None, new=True) == ()
    assert len(found.book(Charge("b", NOON, (ORGANISATION,), 1), None, new=True)) == 1
