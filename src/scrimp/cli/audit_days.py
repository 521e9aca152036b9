"""The days of `--since` and `--until`: a date, or one counted back from today."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

__all__ = ["DAY"]

_BACK = re.compile(r"(\d{1,4})d")


class _Day(click.ParamType[Any]):
    name = "day"

    def convert(self, value: object, *_: click.Parameter | click.Context | None) -> date:
        """A day in UTC. A usage error names what may be given."""
        if isinstance(value, date):
            return value
        text = str(value).strip().lower()
        today = datetime.now(UTC).date()
        if text in ("today", "yesterday"):
            return today - timedelta(days=int(text == "yesterday"))
        if back := _BACK.fullmatch(text):
            return today - timedelta(days=int(back[1]))
        try:
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
        except ValueError:
            self.fail(f"{value!r} is no day: give 2026-11-01, 7d (so many days ago), yesterday or today")


DAY = _Day()
"""The type of an option that takes a day."""
