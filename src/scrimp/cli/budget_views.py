"""Limits and their standings as JSON and as words, the same for every budget command."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from scrimp.cli.numbers import dollars
from scrimp.core import money
from scrimp.core.budget import Limit, Standing

__all__ = ["duration", "limit_json", "standing_json", "time_json", "usd"]

_ENDLESS = 10**30
"""Picodollars beyond which amounts are not told apart."""


def limit_json(limit: Limit, standings: Iterable[Standing]) -> dict[str, Any]:
    """A limit with the standing of each member that has spent or holds something."""
    return {
        "id": limit.id,
        "scope": str(limit.scope),
        "window": limit.window,
        "zone": limit.zone,
        "limit_usd": money.dollars(limit.amount),
        "alert_at": list(limit.alert_at),
        "created_at": time_json(limit.created_at),
        "standings": [standing_json(one) for one in standings],
    }


def standing_json(standing: Standing) -> dict[str, Any]:
    """How a limit stands for one member."""
    return {
        "scope": str(standing.scope),
        "spent_usd": money.dollars(standing.spent),
        "held_usd": money.dollars(standing.held),
        "left_usd": money.dollars(standing.left),
        "unsettled_usd": money.dollars(standing.unsettled),
        "overrun_usd": money.dollars(standing.overrun),
        "resets_at": None if standing.resets_at is None else time_json(standing.resets_at),
    }


def time_json(at: float) -> str:
    """A time as JSON has it."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def usd(amount: int) -> str:
    """Picodollars for people; what a request asks for may be any number, and is not written out."""
    return dollars(money.dollars(min(amount, _ENDLESS)))


def duration(seconds: float) -> str:
    """A time from now on, as far as anybody cares: `45 s`, `12 min`, `7 h`, `9 d`."""
    for unit, size, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds < size * most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
