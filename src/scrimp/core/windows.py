"""When the window of a limit begins and ends: days and months by the calendar of a time zone.

A window is a span of instants, so that clocks put forward or back neither lose nor repeat any of it: a day
begins at the first instant of its date (also where that date has no midnight) and lasts until the next
begins.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from math import floor
from typing import NamedTuple

from scrimp.core.budget import Window

__all__ = ["ALWAYS", "Span", "span_of"]

_FIRST, _LAST = -60_000_000_000.0, 250_000_000_000.0
"""Within the years 68 and 9892: dates of any zone can be worked out."""


class Span(NamedTuple):
    """From `start`, before `end` (None: for ever), in epoch seconds."""

    start: float
    end: float | None

    def holds(self, at: float) -> bool:
        """Whether a time is within."""
        return self.end is None or self.start <= at < self.end


ALWAYS = Span(0.0, None)
"""The one window of a limit that never resets; times before 1970 are within it too."""


def span_of(window: Window, at: float, zone: tzinfo) -> Span:
    """The window that `at` (epoch seconds) is within."""
    if window == "total":
        return ALWAYS
    # Windows begin with a second; a float's last digits must not round into the next one.
    begin = datetime.fromtimestamp(floor(min(max(at, _FIRST), _LAST)), zone).replace(tzinfo=None)
    begin = _first(window, begin)
    start, end = _instant(begin, zone), _instant(_next(window, begin), zone)
    # Where clocks go back over midnight, a date comes twice: what follows the later date's beginning is its.
    while at >= end and begin.year < _at(_LAST).year:
        begin = _next(window, begin)
        start, end = end, _instant(_next(window, begin), zone)
    return Span(start, end)


def _first(window: Window, local: datetime) -> datetime:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight if window == "day" else midnight.replace(day=1)


def _next(window: Window, begin: datetime) -> datetime:
    if window == "day":
        return begin + timedelta(days=1)
    return (begin + timedelta(days=32)).replace(day=1)


def _instant(local: datetime, zone: tzinfo) -> float:
    """The first instant at which a clock of the zone shows this time, or would, had it not been moved."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC).timestamp()


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
