"""What alerts are about."""

from __future__ import annotations

from typing import Any

from scrimp.alerting.alert import Alert, fraction
from scrimp.core.budget import Crossing, Limit, Refusal, Scope
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.changes import Change, Kind
from scrimp.core.money import PICODOLLARS

NOON = 1_795_262_400.0
"""2026-11-21 12:00 UTC."""
MIDNIGHT_BERLIN = 1_795_302_000.0
"""2026-11-21 23:00 UTC, when the day ends in Berlin."""

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROMPT = "MY-PRIVATE-PROMPT"

LIMIT = Limit(
    scope=Scope("user", "*"), amount=5 * PICODOLLARS, window="day", zone="Europe/Berlin", alert_at=(80,)
)


def crossing(user: str = "u_42", percent: int = 80, resets_at: float | None = MIDNIGHT_BERLIN) -> Crossing:
    return Crossing(LIMIT, Scope("user", user), percent, 4_100_000_000_000, resets_at)


def refusal(user: str = "u_42") -> Refusal:
    return Refusal(
        limit=LIMIT,
        scope=Scope("user", user),
        spent=4_100_000_000_000,
        held=500_000_000_000,
        asked=950_000_000_000,
        resets_at=MIDNIGHT_BERLIN,
    )


def diagnosis(**fields: Any) -> Diagnosis:
    change = Change(
        kind=Kind.TIMESTAMP,
        section="system",
        position=3,
        path="system.0",
        offset=1234,
        before=PROMPT,
        after=PROMPT,
    )
    plain: dict[str, Any] = {
        "cause": Cause.TIMESTAMP,
        "promised": 40_000,
        "read": 0,
        "lost": 138_000_000_000,
        "change": change,
    }
    return Diagnosis(**plain | fields)


def an_alert(percent: int = 80) -> Alert:
    return fraction(crossing(percent=percent), NOON)
