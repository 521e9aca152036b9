"""Whether to wait for another's prefix: what it saves against what the seconds cost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.following import Beginnings, following
from scrimp.core.workspace import Planned, Workspace
from scrimp.facts.models import default

NOW = 1_790_000_000.0
LONG = "You are a careful reviewer of code. " * 300


def body(question: str, *, system: str = LONG, marked: bool = True) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": system}
    if marked:
        block["cache_control"] = {"type": "ephemeral"}
    messages = [{"role": "user", "content": question}]
    return {"model": "claude-sonnet-4-5", "max_tokens": 8, "system": [block], "messages": messages}


def planned(workspace: Workspace, asked: dict[str, Any], now: float = NOW) -> Planned:
    found = workspace.plan(asked, now)
    assert found is not None
    return found


@pytest.mark.parametrize("marked", [True, False])
def test_the_saving_is_the_price_as_planned_less_that_of_reading(*, marked: bool) -> None:
    """claude-sonnet-4-5 costs $3 a million: 3,000,000 picodollars a token, 1.25 of it written, 0.1 read."""
    workspace = Workspace(default())
    leader = planned(workspace, body("one"))
    follower = planned(workspace, body("two", marked=marked))
    found = following(follower, set(leader.writing))
    assert found is not None
    outcome, tokens = follower.plan.chosen.outcome, leader.plan.chosen.outcome.written
    written = min(outcome.written, tokens)
    assert found.saves == 3_000_000 * (written * 125 + (tokens - written) * 100 - tokens * 10) // 100


def test_nothing_is_followed_that_nobody_leads_or_that_is_there() -> None:
    workspace = Workspace(default())
    leader = planned(workspace, body("one"))
    follower = planned(workspace, body("two"))
    assert following(follower, set()) is None
    workspace.sent(leader, NOW, NOW + 1)
    assert following(workspace.replan(follower, NOW + 2), set(leader.writing)) is None
    other = planned(workspace, body("one", system=f"Other. {LONG}"), NOW + 2)
    assert following(other, set(leader.writing)) is None


def test_planned_again_it_reads_what_was_written_meanwhile() -> None:
    workspace = Workspace(default())
    leader = planned(workspace, body("one"))
    follower = planned(workspace, body("two"))
    workspace.dropped(follower)
    workspace.sent(leader, NOW, NOW + 1)
    again = workspace.replan(follower, NOW + 2)
    assert again.plan.chosen.outcome.read == leader.plan.chosen.outcome.written
    assert follower.plan.chosen.outcome.read == 0


def test_planned_again_after_the_leader_failed_it_writes() -> None:
    workspace = Workspace(default())
    leader = planned(workspace, body("one"))
    follower = planned(workspace, body("two"))
    workspace.dropped(follower)
    workspace.dropped(leader)
    again = workspace.replan(follower, NOW + 2)
    assert again.plan.chosen.outcome.written == leader.plan.chosen.outcome.written
    assert set(leader.writing) & set(again.writing)


def test_left_as_it_is_it_writes_where_its_caller_marked() -> None:
    workspace = Workspace(default())
    asked = body("one")
    own = workspace.replan(planned(workspace, asked), NOW, own=True)
    assert own.plan.edits == ()
    assert [write.prefix for write in own.plan.chosen.outcome.writes] == list(own.writing)
    entry = own.writing[0]
    assert workspace.entry(entry, NOW + 1) is None
    workspace.sent(own, NOW, NOW + 1)
    alive = workspace.entry(entry, NOW + 299)
    assert alive is not None
    assert (alive.used_at, alive.ttl) == (NOW, "5m")
    assert workspace.entry(entry, NOW + 301) is None


def test_left_as_it_is_it_has_no_markers_but_its_callers() -> None:
    workspace = Workspace(default())
    asked, now = body("one", marked=False), NOW
    found = planned(workspace, asked, now)
    while not found.plan.edits:
        workspace.sent(found, now, now + 1)
        now += 30
        found = planned(workspace, asked, now)
        assert now < NOW + 3600
    own = workspace.replan(found, now, own=True)
    assert own.plan.edits == ()
    assert own.plan.chosen.outcome.writes == own.writing == ()


def test_little_seen_of_a_kind_is_a_good_sign() -> None:
    beginnings = Beginnings()
    assert beginnings.worth("model", age=5.0, within=1.0, saves=1.0, second=1e9)
    assert not beginnings.worth("model", age=5.0, within=1.0, saves=0.0, second=0.0)


@given(
    st.lists(st.floats(0.0, 100.0), min_size=8, max_size=200),
    st.floats(0.0, 50.0),
    st.floats(0.01, 20.0),
    st.floats(0.0, 100.0),
    st.floats(0.0, 10.0),
)
def test_it_waits_iff_that_pays_on_average(
    seen: list[float], age: float, within: float, saves: float, second: float
) -> None:
    beginnings = Beginnings()
    for seconds in seen:
        beginnings.saw("model", seconds)
    later = [seconds - age for seconds in seen[-64:] if seconds > age]
    gains = [saves if wait <= within else 0.0 for wait in later]
    costs = [second * min(wait, within) for wait in later]
    gain, cost = sum(gains), sum(costs)
    if abs(gain - cost) > 1e-6 * (gain + cost):
        assert beginnings.worth("model", age=age, within=within, saves=saves, second=second) == (gain > cost)


def test_kinds_are_apart() -> None:
    beginnings = Beginnings()
    for _ in range(8):
        beginnings.saw(("model", False), 60.0)
        beginnings.saw(("model", True), 1.0)
    wait = {"age": 0.0, "within": 10.0, "saves": 1.0, "second": 0.01}
    assert not beginnings.worth(("model", False), **wait)
    assert beginnings.worth(("model", True), **wait)


def test_what_was_long_ago_is_forgotten() -> None:
    beginnings = Beginnings()
    for seconds in (60.0,) * 200 + (1.0,) * 64:
        beginnings.saw("model", seconds)
    assert beginnings.worth("model", age=0.0, within=10.0, saves=1.0, second=0.9)
    assert not beginnings.worth("model", age=0.0, within=10.0, saves=1.0, second=1.1)


def test_kinds_that_callers_make_up_are_forgotten_and_those_heard_of_stay() -> None:
    beginnings = Beginnings()
    wait = {"age": 0.0, "within": 10.0, "saves": 1.0, "second": 0.01}
    for number in range(5_000):
        if number % 100 == 0:
            for _ in range(8):
                beginnings.saw("model", 60.0)
        beginnings.saw(("made up", number), 60.0)
    assert len(beginnings._seen) <= 256
    assert not beginnings.worth("model", **wait)
