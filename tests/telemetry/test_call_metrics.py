"""What is counted of calls: tokens once, money exactly, labels bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.budget import Crossing, Limit, Scope, Standing
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.record import Tags
from scrimp.telemetry import call_metrics
from scrimp.telemetry.budget_metrics import expose_budgets
from scrimp.telemetry.call_metrics import CallMetrics
from scrimp.telemetry.exposition import Exposition
from scrimp.wire.response import Usage
from tests.telemetry.records import LIMIT, REFUSAL, Labels, one, parsed, record


def exposed(metrics: CallMetrics) -> dict[str, dict[Labels, str]]:
    into = Exposition()
    metrics.expose(into)
    return parsed(into.text())


def test_every_token_is_counted_once_under_what_it_cost() -> None:
    metrics = CallMetrics()
    metrics.recorded(record())
    metrics.recorded(record(usage=Usage(7, 8, 0, 0), outcome="cut off", measured=False))
    found = exposed(metrics)
    expected = {"plain": "107", "write_5m": "700", "write_1h": "300", "read": "5000", "output": "58"}
    model = "claude-sonnet-5"
    assert {kind: one(found, "scrimp_tokens_total", model=model, kind=kind) for kind in expected} == expected
    assert sum(map(int, found["scrimp_tokens_total"].values())) == 100 + 1_000 + 5_000 + 50 + 7 + 8


@given(st.lists(st.tuples(st.integers(0, 10**15), st.none() | st.integers(0, 10**15)), min_size=1))
def test_money_is_exact(amounts: list[tuple[int, int | None]]) -> None:
    metrics = CallMetrics()
    for cost, own in amounts:
        metrics.recorded(record(cost=cost, own_cost=own))
    found = exposed(metrics)
    cost = sum(Decimal(cost) for cost, _ in amounts) / 10**12
    own = sum(Decimal(cost if own is None else own) for cost, own in amounts) / 10**12
    model = "claude-sonnet-5"
    assert Decimal(one(found, "scrimp_cost_dollars_total", model=model)) == cost
    assert Decimal(one(found, "scrimp_own_cost_dollars_total", model=model)) == own
    assert Decimal(one(found, "scrimp_saved_dollars", model=model)) == own - cost
    assert Decimal(one(found, "scrimp_estimated_cost_dollars_total", model=model)) == 0


def test_calls_are_counted_by_how_they_ended() -> None:
    metrics = CallMetrics()
    for _ in range(3):
        metrics.recorded(record())
    metrics.recorded(record(outcome="unknown", status=None, mode="observe"))
    found = exposed(metrics)["scrimp_requests_total"]
    assert sorted((dict(labels)["outcome"], dict(labels)["status"], n) for labels, n in found.items()) == [
        ("complete", "200", "3"),
        ("unknown", "", "1"),
    ]


def test_times_are_measured_from_the_request() -> None:
    metrics = CallMetrics()
    metrics.recorded(record())
    metrics.recorded(record(first_event_at=None, ended_at=None))
    found = exposed(metrics)
    model = "claude-sonnet-5"
    assert one(found, "scrimp_first_event_seconds_bucket", model=model, le="0.25") == "1"
    assert one(found, "scrimp_first_event_seconds_bucket", model=model, le="0.1") == "0"
    assert one(found, "scrimp_duration_seconds_sum", model=model) == "2.0"
    assert one(found, "scrimp_duration_seconds_count", model=model) == "1"


def test_who_called_is_no_label_unless_asked_for_and_then_bounded() -> None:
    plain, asked = CallMetrics(), CallMetrics(("team", "user"), label_values=5)
    for number in range(50):
        call = record(tags=Tags(user=f"u_{number}", team="t"))
        plain.recorded(call)
        asked.recorded(call)
    assert len(exposed(plain)["scrimp_requests_total"]) == 1
    found = exposed(asked)["scrimp_requests_total"]
    counts = {dict(labels)["user"]: int(count) for labels, count in found.items()}
    assert counts == {**{f"u_{number}": 1 for number in range(5)}, "other": 45}
    assert {dict(labels)["team"] for labels in found} == {"t"}


def test_invented_models_do_not_make_series_without_end() -> None:
    metrics = CallMetrics()
    for number in range(1_000):
        metrics.recorded(record(model=f"made-up-{number}"))
    found = exposed(metrics)["scrimp_requests_total"]
    assert len(found) == 101
    assert sum(map(int, found.values())) == 1_000


def test_labels_do_not_combine_to_series_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_metrics, "_MOST_SERIES", 500)
    metrics = CallMetrics(("team", "user"))
    for number in range(2_000):
        tags = Tags(user=f"u_{number % 90}", team=f"t_{number // 90}")
        metrics.recorded(record(model=f"made-up-{number % 7}", tags=tags, status=200 if number % 2 else 529))
    found = exposed(metrics)["scrimp_requests_total"]
    assert len(found) == 502  # beyond the bound those that share mode, outcome and status are one
    assert sum(map(int, found.values())) == 2_000
    others = [dict(labels) for labels in found if dict(labels)["model"] == "other"]
    assert {(one["team"], one["user"], one["status"]) for one in others} == {
        ("other", "other", status) for status in ("200", "529")
    }


def test_misses_refusals_and_crossings_are_counted_by_cause_and_limit() -> None:
    metrics = CallMetrics()
    metrics.recorded(record(miss="tool order", lost=2_500_000_000))
    metrics.recorded(record(miss="tool order", lost=500_000_000))
    metrics.missed(Diagnosis(cause=Cause.TOOL_ORDER, promised=9, read=0, lost=1), Tags())
    for _ in range(2):
        metrics.refused(REFUSAL, Tags())
    metrics.crossed(Crossing(LIMIT, Scope("user", "u_42"), 80, spent=4 * 10**12))
    found = exposed(metrics)
    assert one(found, "scrimp_cache_misses_total", cause="tool order") == "2"
    assert one(found, "scrimp_cache_miss_dollars_total", cause="tool order") == "0.003"
    assert one(found, "scrimp_cache_alarms_total", cause="tool order") == "1"
    assert one(found, "scrimp_budget_refusals_total", limit="user:*/day") == "2"
    assert one(found, "scrimp_budget_crossings_total", limit="user:*/day", percent="80") == "1"


def test_no_count_is_lost_among_threads() -> None:
    metrics = CallMetrics()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: metrics.recorded(record()), range(4_000)))
    assert sum(map(int, exposed(metrics)["scrimp_requests_total"].values())) == 4_000


def test_limits_are_shown_as_they_stand_the_dearest_members_first() -> None:
    whole = Limit(scope=Scope("organisation"), amount=10**12, window="month", zone="Europe/Berlin")
    standings = [Standing(whole, Scope("organisation"), spent=3, held=4, unsettled=1, overrun=2)]
    standings += [Standing(LIMIT, Scope("user", f"u_{n}"), spent=500 - n, held=0) for n in range(130)]
    into = Exposition()
    expose_budgets(standings, into)
    found = parsed(into.text())
    about = {"scope": "organisation", "window": "month", "zone": "Europe/Berlin"}
    shown = {name.removeprefix("scrimp_budget_"): samples for name, samples in found.items()}
    labels = frozenset({"limit": "organisation/month", **about}.items())
    assert {name: samples[labels] for name, samples in shown.items() if labels in samples} == {
        "limit_dollars": "1",
        "spent_dollars": "0.000000000003",
        "held_dollars": "0.000000000004",
        "unsettled_dollars": "0.000000000001",
        "overrun_dollars": "0.000000000002",
    }
    assert len(found["scrimp_budget_spent_dollars"]) == 101
    assert found["scrimp_budget_members_not_shown"] == {frozenset(): "30"}


def test_the_members_of_one_limit_hide_none_of_another() -> None:
    teams = Limit(scope=Scope("team", "*"), amount=10**12, window="day")
    standings = [Standing(LIMIT, Scope("user", f"u_{n}"), spent=500 - n, held=0) for n in range(130)]
    standings += [Standing(teams, Scope("team", f"t_{n}"), spent=90 - n, held=0) for n in range(20)]
    into = Exposition()
    expose_budgets(standings, into)
    found = parsed(into.text())
    shown = [dict(labels)["limit"] for labels in found["scrimp_budget_spent_dollars"]]
    assert (shown.count(LIMIT.id), shown.count(teams.id)) == (100, 20)
    assert found["scrimp_budget_members_not_shown"] == {frozenset(): "30"}
