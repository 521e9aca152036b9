"""What budgets promise, in memory and on disk alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scrimp.core.budget import (
    EACH,
    Ask,
    Crossing,
    Held,
    Limit,
    Refusal,
    Scope,
    Settlement,
    Standing,
    Window,
    scopes_of,
)
from scrimp.core.record import Outcome, Record, Tags
from scrimp.errors import InputError
from scrimp.stores.budget_limits import MOST
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import PATIENCE
from tests.stores.budget_oracle import Oracle, as_told
from tests.stores.records import KINDS, NOON, fresh, record

ORGANISATION = Scope("organisation")
ANN, BOB = Scope("user", "ann"), Scope("user", "bob")
HOUR, DAY = 3600.0, 86400.0


@pytest.fixture(params=KINDS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    found: Ledger = MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "ledger.sqlite")
    yield found
    found.close()


def limit(scope: Scope = ORGANISATION, amount: int = 100, window: Window = "total", **more: Any) -> Limit:
    return Limit(scope=scope, amount=amount, window=window, **more)


def ask(name: str, amount: int, at: float = NOON, lease: float = HOUR, tags: Tags = Tags(user="ann")) -> Ask:  # noqa: B008 - frozen
    return Ask(name, amount, at, at + lease, scopes_of(tags))


def billed(name: str, cost: int, at: float = NOON, tags: Tags = Tags(user="ann")) -> Record:  # noqa: B008 - frozen
    return record(id=name, cost=cost, started_at=at, tags=tags)


def reserve(ledger: Ledger, asked: Ask) -> Held | Refusal:
    return ledger.budgets.reserve(asked).result(PATIENCE)


def settle(
    ledger: Ledger, name: str, cost: int, amount: int | None = None, **more: Any
) -> tuple[Crossing, ...]:
    settlement = Settlement(name, cost if amount is None else amount)
    return ledger.submit(billed(name, cost, **more), settlement).result(PATIENCE)


def only(ledger: Ledger, now: float = NOON) -> Standing:
    [found] = ledger.budgets.standings(now)
    return found


def test_without_limits_nothing_is_held_or_refused(ledger: Ledger) -> None:
    assert reserve(ledger, ask("a", 10**17)) == Held("a", 10**17)
    assert ledger.budgets.limits() == []
    assert ledger.budgets.standings(NOON) == []


def test_a_limit_of_others_leaves_a_call_alone(ledger: Ledger) -> None:
    ledger.budgets.put(limit(BOB, 0))
    assert reserve(ledger, ask("a", 10**17)) == Held("a", 10**17)


def test_held_settled_and_what_is_left(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    assert reserve(ledger, ask("a", 60)) == Held("a", 60, ("organisation/total",))
    assert (only(ledger).spent, only(ledger).held, only(ledger).left) == (0, 60, 40)
    refused = reserve(ledger, ask("b", 41))
    assert refused == Refusal(only(ledger).limit, ORGANISATION, spent=0, held=60, asked=41)
    assert isinstance(reserve(ledger, ask("c", 40)), Held)
    settle(ledger, "a", 25)
    assert (only(ledger).spent, only(ledger).held, only(ledger).left) == (25, 40, 35)
    ledger.budgets.release("c").result(PATIENCE)
    assert (only(ledger).spent, only(ledger).held, only(ledger).left) == (25, 0, 75)


@pytest.mark.parametrize(
    ("outcome", "spent"), [("complete", 5), ("refused", 5), ("unknown", 60), ("cut off", 60)]
)
def test_a_record_frees_a_lapsed_hold_only_where_it_knows_the_bill(
    ledger: Ledger, outcome: Outcome, spent: int
) -> None:
    ledger.budgets.put(limit(amount=100))
    reserve(ledger, ask("a", 60, lease=HOUR))
    ledger.submit(msgspec.structs.replace(billed("a", 5), outcome=outcome)).result(PATIENCE)
    assert (only(ledger).spent, only(ledger).held) == (5, 55)
    standing = only(ledger, NOON + HOUR)
    assert (standing.spent, standing.held) == (spent, 0)


def test_every_scope_has_to_hold_or_none_does(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=1000))
    ledger.budgets.put(limit(ANN, 50))
    ledger.budgets.put(limit(Scope("run", "nightly"), 1000))
    tags = Tags(run=("nightly", "reviewer"), user="ann")
    refused = reserve(ledger, ask("a", 51, tags=tags))
    assert isinstance(refused, Refusal)
    assert (refused.limit.id, refused.scope) == ("user:ann/total", ANN)
    assert {found.held for found in ledger.budgets.standings(NOON)} == {0}
    held = reserve(ledger, ask("b", 50, tags=tags))
    assert isinstance(held, Held)
    assert set(held.limits) == {"organisation/total", "user:ann/total", "run:nightly/total"}
    assert [found.held for found in ledger.budgets.standings(NOON)] == [50, 50, 50]


def test_each_member_counts_by_itself(ledger: Ledger) -> None:
    ledger.budgets.put(limit(Scope("user", EACH), 100))
    for name, cost in (("ann", 30), ("bob", 90)):
        reserve(ledger, ask(f"of {name}", cost, tags=Tags(user=name)))
    refused = reserve(ledger, ask("more", 71, tags=Tags(user="ann")))
    assert isinstance(refused, Refusal)
    assert (refused.limit.scope.name, refused.scope, refused.held) == (EACH, ANN, 30)
    assert [(found.scope, found.held) for found in ledger.budgets.standings(NOON)] == [(BOB, 90), (ANN, 30)]


def test_what_was_spent_before_counts(ledger: Ledger) -> None:
    for number, at in enumerate((NOON - DAY, NOON - 2, NOON)):
        ledger.record(billed(f"{number}", 10 ** (number + 1), at))
    ledger.budgets.put(limit(amount=5000))
    ledger.budgets.put(limit(window="day", amount=5000))
    ledger.budgets.put(limit(Scope("user", EACH), window="day", amount=5000))
    assert [(found.limit.id, found.spent) for found in ledger.budgets.standings(NOON)] == [
        ("organisation/day", 1100),
        ("organisation/total", 1110),
        ("user:*/day", 1100),
    ]


def test_what_was_pruned_was_spent_all_the_same(ledger: Ledger) -> None:
    for number in range(6):
        ledger.record(billed(f"{number}", 10**number, NOON - number * HOUR))
    assert ledger.prune(NOON - 2 * HOUR)
    ledger.record(billed("5", 10**5, NOON - 5 * HOUR))
    ledger.budgets.put(limit(amount=10**6))
    ledger.budgets.put(limit(ANN, window="day", zone="Asia/Kolkata", amount=10**6))
    assert [found.spent for found in ledger.budgets.standings(NOON)] == [111_111, 111_111]
    ledger.record(billed("4", 10**4, NOON - 4 * HOUR))
    assert [found.spent for found in ledger.budgets.standings(NOON)] == [111_111, 111_111]


def test_a_record_without_a_hold_counts_once(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=1000))
    for _ in range(3):
        ledger.record(billed("same", 70))
    assert only(ledger).spent == 70


def test_a_settlement_above_the_record_counts_as_that(ledger: Ledger) -> None:
    """What a broken stream cost is an estimate: what it may have cost counts."""
    ledger.budgets.put(limit(amount=1000))
    reserve(ledger, ask("a", 500))
    settle(ledger, "a", cost=100, amount=320)
    assert (only(ledger).spent, only(ledger).held) == (320, 0)
    ledger.budgets.put(limit(ANN, amount=1000))
    assert [found.spent for found in ledger.budgets.standings(NOON)] == [320, 320]


def test_a_settlement_below_the_record_counts_as_the_record(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=1000))
    reserve(ledger, ask("a", 500))
    settle(ledger, "a", cost=100, amount=0)
    assert only(ledger).spent == 100


def test_a_bill_above_its_hold_is_booked_in_full_and_counts_at_once(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    reserve(ledger, ask("a", 60))
    reserve(ledger, ask("b", 40))
    settle(ledger, "a", 75)
    found = only(ledger)
    assert (found.spent, found.held, found.overrun, found.left) == (75, 40, 15, -15)
    assert isinstance(reserve(ledger, ask("c", 0)), Refusal)
    why = ledger.budgets.why("organisation/total", NOON)
    assert why is not None
    assert [(event.kind, event.hold, event.amount) for event in why.events] == [
        ("refusal", "c", 0),
        ("overrun", "a", 75),
    ]


def test_settling_twice_counts_once(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=1000))
    reserve(ledger, ask("a", 60))
    for _ in range(2):
        settle(ledger, "a", 50)
    assert (only(ledger).spent, only(ledger).held) == (50, 0)


def test_asking_twice_holds_once(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    assert reserve(ledger, ask("a", 60)) == reserve(ledger, ask("a", 60))
    assert only(ledger).held == 60


def test_a_record_without_a_settlement_is_part_of_its_hold(ledger: Ledger) -> None:
    """An unknown outcome keeps its hold, and no picodollar counts twice."""
    ledger.budgets.put(limit(amount=100))
    reserve(ledger, ask("a", 60))
    ledger.record(billed("a", 20))
    assert (only(ledger).spent, only(ledger).held) == (20, 40)
    assert (only(ledger, NOON + HOUR).spent, only(ledger, NOON + HOUR).held) == (20, 0)
    settle(ledger, "a", 20)
    assert only(ledger).spent == 20


def test_a_lease_that_runs_out_counts_as_spent_until_the_bill_is_known(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    for name in ("late", "lost", "freed"):
        reserve(ledger, ask(name, 30, lease=60))
    assert ledger.budgets.recover(NOON + 59) == 0
    assert isinstance(reserve(ledger, ask("next", 11, at=NOON + 60)), Refusal)
    found = only(ledger, NOON + 60)
    assert (found.spent, found.held, found.unsettled) == (90, 0, 90)
    assert ledger.budgets.recover(NOON + 61) == 0
    settle(ledger, "late", 12)
    found = only(ledger)
    assert (found.spent, found.unsettled) == (72, 60)
    ledger.budgets.release("freed").result(PATIENCE)
    found = only(ledger)
    assert (found.spent, found.unsettled) == (42, 30)
    ledger.record(billed("lost", 5))
    found = only(ledger)
    assert (found.spent, found.unsettled, found.held) == (17, 0, 0)


def test_what_may_have_been_billed_above_an_estimate_is_unsettled(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    for name in ("cut", "whole"):
        reserve(ledger, ask(name, 30))
    settle(ledger, "cut", 12, amount=25)
    settle(ledger, "whole", 12)
    found = only(ledger)
    assert (found.spent, found.held, found.unsettled) == (37, 0, 13)
    ledger.budgets.put(limit(ANN, 100))
    ledger.budgets.remove("organisation/total")
    ledger.budgets.put(limit(amount=100))  # worked out anew
    [found] = [one for one in ledger.budgets.standings(NOON) if one.limit.scope == limit(amount=1).scope]
    assert (found.spent, found.held, found.unsettled) == (37, 0, 13)


def test_a_lease_made_longer_holds_longer(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    reserve(ledger, ask("a", 30, lease=60))
    ledger.budgets.extend("a", NOON + 120).result(PATIENCE)
    ledger.budgets.extend("a", NOON + 30).result(PATIENCE)
    assert ledger.budgets.recover(NOON + 119) == 0
    assert ledger.budgets.recover(NOON + 120) == 1
    ledger.budgets.extend("a", NOON + 999).result(PATIENCE)
    assert only(ledger, NOON + 121).unsettled == 30


def test_what_is_held_before_a_limit_is_set_counts_under_it(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=1000))
    reserve(ledger, ask("a", 60))
    reserve(ledger, ask("gone", 7, lease=1))
    ledger.budgets.recover(NOON + 2)
    ledger.budgets.put(limit(ANN, 1000))
    found = ledger.budgets.standings(NOON + 2)
    assert [(item.spent, item.held, item.unsettled) for item in found] == [(7, 60, 7), (7, 60, 7)]
    settle(ledger, "a", 50)
    found = ledger.budgets.standings(NOON + 2)
    assert [(item.spent, item.held) for item in found] == [(57, 0), (57, 0)]


def test_a_window_ends_at_midnight_of_its_zone(ledger: Ledger) -> None:
    """Noon UTC is 17:30 in Kolkata: the day there ends 6.5 hours later, an hour's half past."""
    ledger.record(billed("early", 7, NOON + 6.25 * HOUR))
    ledger.record(billed("late", 70, NOON + 6.75 * HOUR))
    ledger.budgets.put(limit(window="day", zone="Asia/Kolkata", amount=100))
    end = NOON + 6.5 * HOUR
    assert (only(ledger, end - 1).spent, only(ledger, end - 1).resets_at) == (7, end)
    assert (only(ledger, end).spent, only(ledger, end).resets_at) == (70, end + DAY)
    refused = reserve(ledger, ask("a", 94, at=end - 1))
    assert isinstance(refused, Refusal)
    assert refused.resets_at == end
    assert isinstance(reserve(ledger, ask("a", 93, at=end - 1)), Held)
    # It is billed a second later, in the next window: the money counts where it was held.
    settle(ledger, "a", 90, at=end + 1)
    assert (only(ledger, end - 1).spent, only(ledger, end).spent) == (97, 70)
    ledger.budgets.put(limit(ANN, window="day", zone="Asia/Kolkata", amount=100))
    assert [item.spent for item in ledger.budgets.standings(end - 1)] == [97, 97]


def test_changing_the_amount_keeps_the_counts(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    reserve(ledger, ask("a", 60))
    ledger.budgets.put(limit(amount=59, alert_at=(50,)))
    assert (only(ledger).held, only(ledger).left) == (60, -1)
    assert [item.amount for item in ledger.budgets.limits()] == [59]


def test_changing_the_zone_counts_anew(ledger: Ledger) -> None:
    ledger.record(billed("evening", 7, NOON - 18 * HOUR))
    ledger.record(billed("noon", 70, NOON))
    ledger.budgets.put(limit(window="day"))
    assert only(ledger).spent == 70
    ledger.budgets.put(limit(window="day", zone="America/New_York"))
    assert only(ledger).spent == 70
    ledger.budgets.put(limit(window="day", zone="Asia/Kolkata"))
    assert (only(ledger, NOON - 18 * HOUR).spent, only(ledger).spent) == (7, 70)


def test_limits_come_widest_first_and_go(ledger: Ledger) -> None:
    for scope in (Scope("agent", "main"), ANN, Scope("team", "x"), ORGANISATION, Scope("user", EACH)):
        ledger.budgets.put(limit(scope))
    assert [str(item.scope) for item in ledger.budgets.limits()] == [
        "organisation", "team:x", "user:*", "user:ann", "agent:main",
    ]  # fmt: skip
    assert ledger.budgets.remove("user:ann/total")
    assert not ledger.budgets.remove("user:ann/total")
    assert not ledger.budgets.remove("user:ann/day")
    assert "user:ann" not in [str(item.scope) for item in ledger.budgets.limits()]


def test_a_limit_removed_and_set_again_knows_what_was_spent_between(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100))
    settle(ledger, "a", 10)
    ledger.budgets.remove("organisation/total")
    ledger.record(billed("b", 20))
    ledger.budgets.put(limit(amount=100))
    assert only(ledger).spent == 30


BAD: list[tuple[Limit, str]] = [
    (limit(amount=-1), "amount"),
    (limit(amount=MOST), "amount"),
    (limit(zone="Mars/Olympus"), "unknown time zone 'Mars/Olympus'"),
    (limit(zone="../secrets"), "unknown time zone"),
    (limit(zone=""), "unknown time zone"),
    (limit(alert_at=(0,)), "alerts"),
    (limit(Scope("organisation", "acme")), "organisation has no name"),
    (limit(Scope("user", "")), "every other scope has one"),
    (limit(Scope("user", "\ud800")), "not Unicode"),
]


@pytest.mark.parametrize(("bad", "said"), BAD)
def test_a_limit_that_cannot_be_kept_is_named(ledger: Ledger, bad: Limit, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        ledger.budgets.put(bad)
    assert "\n" not in str(caught.value)
    assert ledger.budgets.limits() == []


def test_names_that_are_no_text_count_like_their_records(ledger: Ledger) -> None:
    tags = Tags(user="half\ud800")
    ledger.budgets.put(limit(Scope("user", EACH), 100))
    assert isinstance(reserve(ledger, ask("a", 10, tags=tags)), Held)
    settle(ledger, "a", 9, tags=tags)
    assert (only(ledger).scope, only(ledger).spent, only(ledger).held) == (Scope("user", "half?"), 9, 0)


def test_alerts_are_told_once_by_whoever_sets_them_off(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=100, alert_at=(100, 50, 80)))
    for name in "abc":
        reserve(ledger, ask(name, 30))
    assert settle(ledger, "a", 30) == ()
    [half] = settle(ledger, "b", 20)
    assert (half.limit.id, half.scope, half.percent, half.spent) == (
        "organisation/total",
        ORGANISATION,
        50,
        50,
    )
    told = settle(ledger, "c", 60)
    assert [(item.percent, item.spent) for item in told] == [(80, 110), (100, 110)]
    assert ledger.submit(billed("d", 5)).result(PATIENCE) == ()


def test_alerts_are_told_to_the_next_call_where_nobody_set_them_off(ledger: Ledger) -> None:
    ledger.record(billed("before", 85))
    ledger.budgets.put(limit(amount=100, window="day"))
    held = reserve(ledger, ask("a", 5))
    assert isinstance(held, Held)
    assert [item.percent for item in held.crossed] == [80]
    held = reserve(ledger, ask("b", 5))
    assert isinstance(held, Held)
    assert held.crossed == ()
    ledger.record(billed("tomorrow", 90, NOON + DAY))
    ledger.budgets.put(limit(amount=1000, window="day"))
    assert ledger.submit(billed("c", 705)).result(PATIENCE) == ()
    [again] = ledger.submit(billed("d", 10)).result(PATIENCE)
    assert (again.percent, again.spent) == (80, 800)


def test_why_tells_what_is_behind_a_standing(ledger: Ledger) -> None:
    ledger.budgets.put(limit(Scope("user", EACH), 1000, "day"))
    for number in range(15):
        ledger.record(billed(f"{number}", number, NOON - number))
    ledger.record(billed("yesterday", 999, NOON - DAY))
    ledger.record(billed("bob's", 50, NOON, tags=Tags(user="bob")))
    reserve(ledger, ask("second", 20, at=NOON + 2))
    reserve(ledger, ask("first", 10, at=NOON + 1))
    reserve(ledger, ask("of bob", 7, tags=Tags(user="bob")))
    reserve(ledger, ask("too much", 2000, tags=Tags(user="bob")))
    reserve(ledger, ask("too much as well", 3000))
    found = ledger.budgets.why("user:*/day", NOON)
    assert found is not None
    assert [(item.scope, item.spent) for item in found.standings] == [(ANN, 105), (BOB, 50)]
    assert [(item.id, item.amount, item.at) for item in found.holds] == [
        ("of bob", 7, NOON), ("first", 10, NOON + 1), ("second", 20, NOON + 2),
    ]  # fmt: skip
    assert [(item.kind, item.scope, item.hold, item.amount) for item in found.events] == [
        ("refusal", ANN, "too much as well", 3000), ("refusal", BOB, "too much", 2000),
    ]  # fmt: skip
    assert [item.id for item in found.records] == ["bob's", *(f"{number}" for number in range(14, 5, -1))]
    bobs = ledger.budgets.why("user:*/day", NOON, BOB)
    assert bobs is not None
    assert [item.scope for item in bobs.standings] == [BOB]
    assert [item.id for item in bobs.holds] == ["of bob"]
    assert [item.hold for item in bobs.events] == ["too much"]
    assert [item.id for item in bobs.records] == ["bob's"]
    assert ledger.budgets.why("user:*/month", NOON) is None


@pytest.mark.parametrize("amount", [2**62 - 1, 1])
def test_sums_may_pass_64_bits(ledger: Ledger, amount: int) -> None:
    ledger.budgets.put(limit(amount=amount))
    most = 2**63 - 1
    for name in "abc":
        ledger.record(billed(name, most))
    assert only(ledger).spent == 3 * most
    assert only(ledger).left == amount - 3 * most
    assert isinstance(reserve(ledger, ask("d", 10**30)), Refusal)


@pytest.mark.parametrize("amount", [10**30, 10**5000, 2**63], ids=["long", "longer", "64 bits"])
def test_an_amount_beyond_every_limit_is_refused_like_any_other(ledger: Ledger, amount: int) -> None:
    ledger.budgets.put(limit(amount=MOST - 1))
    assert isinstance(reserve(ledger, ask("a", amount)), Refusal)
    assert reserve(ledger, ask("b", -amount)) == Held("b", 0, ("organisation/total",))
    why = ledger.budgets.why("organisation/total", NOON)
    assert why is not None
    assert [(event.hold, event.amount) for event in why.events] == [("a", MOST)]


_tags = st.sampled_from(
    [
        Tags(),
        Tags(user="ann"),
        Tags(user="bob", run=("x",)),
        Tags(run=("x", "y"), run_ids=("1", "2"), user="ann"),
    ]
)
_limits = st.builds(
    Limit,
    scope=st.sampled_from([ORGANISATION, ANN, Scope("user", EACH), Scope("run", "x/y"), Scope("run", EACH)]),
    amount=st.integers(0, 120),
    window=st.sampled_from(["day", "total"]),
    zone=st.sampled_from(["UTC", "Asia/Kolkata"]),
)
_names = st.sampled_from("abcdef")
_times = st.sampled_from([NOON, NOON + 60, NOON + 6.5 * HOUR - 1, NOON + 6.5 * HOUR, NOON + DAY])
_amounts = st.integers(0, 40)
_steps = st.one_of(
    st.tuples(st.just("reserve"), _names, _amounts, _times, st.sampled_from([50.0, 9 * HOUR]), _tags),
    st.tuples(st.just("record"), _names, _amounts, _times, st.none() | st.integers(0, 60), _tags),
    st.tuples(st.just("release"), _names),
    st.tuples(st.just("extend"), _names, _times),
    st.tuples(st.just("recover"), _times),
    st.tuples(st.just("put"), _limits),
    st.tuples(st.just("remove"), _limits),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=80, deadline=None)
@given(first=st.lists(_limits, min_size=1, max_size=3), steps=st.lists(_steps, max_size=25))
@example(
    first=[limit(amount=99)],
    steps=[
        ("reserve", "a", 40, NOON, 9 * HOUR, Tags()),
        ("record", "a", 9, NOON, None, Tags()),
        ("record", "a", 30, NOON, 30, Tags()),
    ],
)
@example(
    first=[limit(amount=0)],
    steps=[
        ("reserve", "a", 0, NOON, 50.0, Tags()),
        ("record", "a", 0, NOON, None, Tags()),
        ("record", "a", 0, NOON, 1, Tags(user="ann")),
        ("put", limit(ANN, 0)),
    ],
)
def test_books_agree_with_the_definition(kind: str, first: list[Limit], steps: list[Any]) -> None:
    oracle = Oracle()
    with fresh(kind) as ledger:
        budgets = ledger.budgets
        for new in first:
            budgets.put(new)
            oracle.limits[new.id] = new
        for step in steps:
            match step:
                case ("reserve", name, amount, at, lease, tags):
                    asked = ask(name, amount, at, lease, tags)
                    found = budgets.reserve(asked).result(PATIENCE)
                    assert isinstance(found, Refusal) == (oracle.reserve(asked) is not None)
                case ("record", name, cost, at, amount, tags):
                    item = billed(name, cost, at, tags)
                    settlement = None if amount is None else Settlement(name, amount)
                    ledger.record(item, settlement)
                    oracle.keep(item, settlement)
                case ("release", name):
                    budgets.release(name).result(PATIENCE)
                    oracle.release(name)
                case ("extend", name, until):
                    budgets.extend(name, until).result(PATIENCE)
                    oracle.extend(name, until)
                case ("recover", now):
                    assert budgets.recover(now) == oracle.recover(now)
                case ("put", new):
                    budgets.put(new)
                    oracle.limits[new.id] = new
                case ("remove", old):
                    assert budgets.remove(old.id) == (oracle.limits.pop(old.id, None) is not None)
        for now in (NOON, NOON + 6.5 * HOUR, NOON + DAY):
            assert as_told(list(budgets.standings(now))) == oracle.standings(now)


def test_threads_never_spend_more_than_there_is(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=1000))
    held: list[str] = []

    def work(thread: int) -> None:
        for number in range(30):
            name = f"{thread}-{number}"
            if isinstance(reserve(ledger, ask(name, 10)), Held):
                held.append(name)
                if number % 3:
                    settle(ledger, name, 7)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = only(ledger)
    settled = [name for name in held if int(name.split("-")[1]) % 3]
    assert (found.spent, found.held) == (7 * len(settled), 10 * (len(held) - len(settled)))
    assert found.left < 10
    assert found.spent + found.held <= 1000


def test_a_call_that_is_cancelled_while_it_waits_can_be_released(ledger: Ledger) -> None:
    ledger.budgets.put(limit(amount=1000))

    async def call(number: int) -> None:
        await ledger.budgets.reserve(ask(f"{number}", 10))

    async def main() -> None:
        tasks = [asyncio.create_task(call(number)) for number in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for number in range(0, 50, 2):
            await ledger.budgets.release(f"{number}")

    asyncio.run(main())
    assert only(ledger).held == 250


def test_a_limit_says_what_it_is(ledger: Ledger) -> None:
    put = limit(
        Scope("team", "research"), 5, "month", zone="Europe/Berlin", alert_at=(50, 90), created_at=NOON
    )
    ledger.budgets.put(put)
    assert list(ledger.budgets.limits()) == [put]
    assert msgspec.structs.asdict(only(ledger).limit) == msgspec.structs.asdict(put)
