"""What is told, when, how often, and in which words."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest

import scrimp
from scrimp.alerting import watching
from scrimp.alerting.alert import Alert
from scrimp.alerting.alerts import Rules
from scrimp.alerting.sinks import Left
from scrimp.core.causes import Cause
from scrimp.core.money import PICODOLLARS
from scrimp.core.record import Tags
from tests.patience import PATIENCE
from tests.stores.records import record

from .samples import MIDNIGHT_BERLIN, NOON, PROMPT, crossing, diagnosis, refusal


class Kept:
    """A way out that keeps what it is given."""

    name = "kept"
    attempts = 1

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def send(self, alert: Alert, left: Left) -> None:
        self.alerts.append(alert)


class Told:
    """Alerts with a clock that tests move."""

    def __init__(self, **rules: Any) -> None:
        self.now = NOON
        self.kept = Kept()
        self.alerts = scrimp.Alerts(self.kept, log=False, rules=Rules(**rules), clock=lambda: self.now)

    @property
    def all(self) -> list[Alert]:
        assert self.alerts.flush(PATIENCE)
        return self.kept.alerts


@pytest.fixture
def told() -> Told:
    return Told()


def payload(alert: Alert) -> Any:
    return orjson.loads(alert.json())


def test_a_fraction_is_told_in_words_and_in_keys(told: Told) -> None:
    told.alerts.crossed(crossing())
    (alert,) = told.all
    given = payload(alert)
    assert given["id"].startswith("alert_")
    assert {**given, "id": ""} == {
        "version": 1,
        "id": "",
        "kind": "budget_fraction",
        "at": "2026-11-21T12:00:00Z",
        "text": "scrimp: user:u_42 has spent $4.10 of $5.00 a day, 80 % is reached; "
        "resets 2026-11-22 00:00 Europe/Berlin (2026-11-21 23:00 UTC)",
        "count": 1,
        "tags": {
            "run": [],
            "run_ids": [],
            "user": None,
            "task_type": None,
            "agent": None,
            "team": None,
            "key": None,
            "inferred": False,
        },
        "budget": {
            "id": "user:*/day",
            "scope": "user:u_42",
            "amount_usd": "5",
            "window": "day",
            "zone": "Europe/Berlin",
            "spent_usd": "4.1",
            "held_usd": None,
            "asked_usd": None,
            "percent": 80,
            "resets_at": "2026-11-21T23:00:00Z",
        },
        "miss": None,
        "outlier": None,
    }


def test_each_crossing_is_told_once_for_each_window_and_member(told: Told) -> None:
    for _ in range(3):
        told.alerts.crossed(crossing())
        told.alerts.crossed(crossing(user="u_43"))
        told.alerts.crossed(crossing(percent=100))
        told.now += 100_000
    told.alerts.crossed(crossing(resets_at=MIDNIGHT_BERLIN + 86_400))
    seen = [(alert.budget.scope, alert.budget.percent) for alert in told.all if alert.budget]
    assert seen == [("user:u_42", 80), ("user:u_43", 80), ("user:u_42", 100), ("user:u_42", 80)]


def test_the_first_refusal_is_told_at_once_and_later_ones_together() -> None:
    told = Told(refused_every=60.0)
    for second in range(0, 130, 10):  # refused at 0, 10, … 120
        told.now = NOON + second
        told.alerts.refused(refusal(), Tags(user="u_42", run=("nightly",)))
    first, second, third = told.all
    assert [one.count for one in (first, second, third)] == [1, 6, 6]
    assert first.at == datetime.fromtimestamp(NOON, UTC)
    assert first.text == (
        "scrimp: budget exceeded: user:u_42 may spend $5.00 a day; $4.10 is spent, $0.50 held by calls "
        "under way, and this call could cost up to $0.95; "
        "resets 2026-11-22 00:00 Europe/Berlin (2026-11-21 23:00 UTC)"
    )
    assert second.text.endswith("(6 calls were refused since the last alert)")
    assert payload(first)["tags"]["run"] == ["nightly"]
    assert (payload(first)["budget"]["held_usd"], payload(first)["budget"]["asked_usd"]) == ("0.5", "0.95")


def test_a_request_for_any_number_of_tokens_is_told_in_a_line(told: Told) -> None:
    told.alerts.refused(msgspec.structs.replace(refusal(), asked=10**5000), Tags())
    (alert,) = told.all
    assert len(alert.text) < 300
    assert len(payload(alert)["budget"]["asked_usd"]) < 40


def test_refusals_of_one_member_do_not_hide_those_of_another(told: Told) -> None:
    told.alerts.refused(refusal("a"), Tags())
    told.alerts.refused(refusal("b"), Tags())
    assert [alert.budget.scope for alert in told.all if alert.budget] == ["user:a", "user:b"]


def test_a_bust_is_told_with_what_it_lost_and_without_a_word_of_the_prompt(told: Told) -> None:
    told.alerts.missed(diagnosis(), Tags(agent="reviewer"))
    (alert,) = told.all
    assert alert.text == (
        "scrimp: the cache of reviewer was missed once, about $0.1380 lost: timestamp in the prefix at "
        "system.0, byte 1,234. "
        "Move the time behind the last marker, into the newest user message, or drop it."
    )
    assert payload(alert)["miss"] == {
        "cause": "timestamp in the prefix",
        "lost_usd": "0.138",
        "promised": 40_000,
        "read": 0,
        "path": "system.0",
        "fix": "Move the time behind the last marker, into the newest user message, or drop it.",
        "foreseen": False,
    }
    assert PROMPT.encode() not in alert.json()
    assert PROMPT not in diagnosis().describe()


def test_small_losses_add_up_until_they_are_worth_telling() -> None:
    told = Told(bust_from=PICODOLLARS, busts_every=60.0)
    small = diagnosis(lost=300_000_000_000, quiet=True)
    told.alerts.missed(diagnosis(lost=300_000_000_000), Tags(agent="a"))
    for _ in range(5):
        told.alerts.missed(small, Tags(agent="a"))
        told.alerts.missed(small, Tags(agent="b"))
    told.now += 61
    told.alerts.missed(small, Tags(agent="a"))  # $0.90 since: not enough
    told.alerts.missed(small, Tags(agent="a"))
    seen = [(a.tags.agent, a.count, Decimal(payload(a)["miss"]["lost_usd"])) for a in told.all]
    assert seen == [("a", 4, Decimal("1.2")), ("b", 4, Decimal("1.2")), ("a", 4, Decimal("1.2"))]


@pytest.mark.parametrize(
    "harmless",
    [
        {"cause": Cause.COMPACTED},
        {"cause": Cause.COMPACTED, "quiet": True},
        {"cause": Cause.FIRST},
        {"cause": Cause.NO_MARKER},
        {"written": False},
    ],
)
def test_a_miss_that_nobody_can_help_is_not_told(told: Told, harmless: dict[str, Any]) -> None:
    told.alerts.missed(diagnosis(**harmless), Tags())
    assert told.all == []


def spend(told: Told, dollars: str, **tags: Any) -> None:
    cost = int(Decimal(dollars) * PICODOLLARS)
    told.alerts.recorded(record(cost=cost, started_at=told.now, tags=Tags(**tags)))


def test_a_user_far_above_its_peers_is_told_once_a_day(told: Told) -> None:
    for _ in range(2):
        for user in range(10):
            spend(told, "0.50", user=f"u_{user}")
        for _ in range(20):
            spend(told, "1", user="runaway")
        told.now += 86_400
    first, _ = told.all
    outlier = payload(first)["outlier"]
    assert (first.kind, outlier["scope"], outlier["usual_usd"]) == ("outlier", "user:runaway", "0.5")
    assert outlier["times"] == Decimal(outlier["spent_usd"]) / Decimal("0.5")
    assert "user:runaway has spent $" in first.text
    assert "10 users" in first.text or "11 users" in first.text


def test_a_run_is_compared_with_runs_of_its_name(told: Told) -> None:
    for number in range(20):
        spend(told, "0.10", run=("small",), run_ids=(f"s{number}",))
        spend(told, "9", run=("large",), run_ids=(f"l{number}",))
    assert told.all == []
    spend(told, "9", run=("small", "inner"), run_ids=("s3", "i1"))
    assert [payload(alert)["outlier"]["scope"] for alert in told.all] == ["run:small"]


def test_kinds_that_are_not_wanted_are_not_told() -> None:
    told = Told(kinds=("cache_bust",))
    told.alerts.crossed(crossing())
    told.alerts.refused(refusal(), Tags())
    told.alerts.missed(diagnosis(), Tags())
    for user in range(10):
        spend(told, "0.50", user=f"u_{user}")
    spend(told, "50", user="runaway")
    assert [alert.kind for alert in told.all] == ["cache_bust"]


def test_alerts_are_warnings_of_their_logger(caplog: pytest.LogCaptureFixture) -> None:
    scrimp.Alerts().crossed(crossing())
    (entry,) = caplog.records
    assert (entry.name, entry.levelno) == ("scrimp.alerts", logging.WARNING)
    assert entry.message.startswith("scrimp: user:u_42 has spent $4.10 of $5.00 a day")
    assert entry.alert.kind == "budget_fraction"  # type: ignore[attr-defined]  # given as an extra


def test_a_name_cannot_break_the_line_or_fill_it(told: Told) -> None:
    told.alerts.crossed(crossing(user="x\nERROR faked\x1b[31m" + "y" * 500))
    (alert,) = told.all
    assert "\n" not in alert.text
    assert "\x1b" not in alert.text
    assert len(alert.text) < 260


def test_what_is_remembered_stays_bounded(told: Told) -> None:
    for number in range(5_000):
        told.alerts.refused(refusal(f"u_{number}"), Tags())
    assert len(told.alerts._refusals._states) == 4096


def test_runs_that_callers_make_up_are_forgotten_with_their_names(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_MOST_RUNS", 1_500)
    seen = told.alerts._outliers
    assert seen is not None
    for number in range(2_500):
        name = "same" if number % 2 else f"made-up-{number % 20}"
        spend(told, "0.10", run=(name,), run_ids=(f"r{number}",))
    assert sum(map(len, seen._runs.values())) == seen._count <= 1_500
    assert len(seen._runs["same"]) == 1_250
    for number in range(1_000):
        spend(told, "0.10", run=(f"other-{number}",), run_ids=("r",))
    assert sum(map(len, seen._runs.values())) == seen._count == len(seen._runs) == 256
