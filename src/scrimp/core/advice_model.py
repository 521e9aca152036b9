"""What days of spending say about the days to come: a level, its trend, and the pattern of the week.

These are estimates, worked out in floating point; what was really spent stays a whole number of picodollars
and never passes through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import combinations
from math import sqrt
from statistics import fmean, median

import msgspec

__all__ = ["DayModel", "Forecast", "fit"]

LEVEL_DAYS = 28
"""The level is that of the last four weeks: every day of the week counts the same number of times."""

TREND_DAYS = 56
_TREND_FROM = 21
_WEEKDAYS_FROM = 28
_WEEKENDS_FROM = 14
_CLIPPED_FROM = 14
_CLIPPED_SHARE = 20
_SURE = 1.96
_MOST_GROWTH = 2.0

_T_80 = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350, 1.345)
"""Student's t for an interval that holds 4 times in 5, by degrees of freedom from 1."""


class Forecast(msgspec.Struct, frozen=True):
    """What some days will cost: the expectation, and an interval that holds 4 times in 5."""

    expected: float
    low: float
    high: float


class DayModel(msgspec.Struct, frozen=True, kw_only=True):
    """Spending a day: `level` on the day `centre`, `slope` more each day after it, times the `factors` of the
    week (Monday first). `spread` is the standard deviation of a day, `days` how many were seen.
    """

    level: float
    centre: date
    slope: float
    factors: tuple[float, ...]
    spread: float
    days: int

    @property
    def trend(self) -> float:
        """By what factor spending changes in 30 days; 1 without a trend that is sure."""
        return max(self.level + 30 * self.slope, 0.0) / self.level if self.level else 1.0

    def expected(self, day: date) -> float:
        """What a day is expected to cost."""
        moved = self.level + self.slope * (day - self.centre).days
        # A straight line is trusted only so far.
        bounded = min(max(moved, self.level / _MOST_GROWTH), self.level * _MOST_GROWTH)
        return bounded * self.factors[day.weekday()]

    def forecast(self, days: Sequence[date]) -> Forecast:
        """What these days will cost together."""
        total = sum(self.expected(day) for day in days)
        freedom = self.days - 1
        t = _T_80[min(freedom, len(_T_80)) - 1] if freedom else 0.0
        count = len(days)
        # Chance of the days to come, and how well the level is known from the days it was taken from.
        far = t * self.spread * sqrt(count + count**2 / min(self.days, LEVEL_DAYS))
        low, high = max(total - far, 0.0), total + far
        if self.days < 7:  # they may have been all working days, or none
            low, high = min(low, total * 5 / 7), max(high, total * 7 / 5)
        return Forecast(total, low, high)


def fit(first: date, spent: Sequence[float]) -> DayModel:
    """The model of consecutive days, at least one, from `first` on."""
    days = [first + timedelta(offset) for offset in range(len(spent))]
    values = _clipped(spent)
    factors = _factors(days, values)
    weights = [factors[day.weekday()] for day in days]
    recent = sum(weights[-LEVEL_DAYS:])
    points = [
        (at, value / weight) for at, (value, weight) in enumerate(zip(values, weights, strict=True)) if weight
    ]
    model = DayModel(
        level=sum(values[-LEVEL_DAYS:]) / recent if recent else 0.0,
        centre=days[-(min(len(days), LEVEL_DAYS) + 1) // 2],
        slope=_slope(points[-TREND_DAYS:]),
        factors=factors,
        spread=0.0,
        days=len(days),
    )
    window = list(zip(days, values, strict=True))[-TREND_DAYS:]
    left = [value - model.expected(day) for day, value in window]
    known = len(set(factors)) + (model.slope != 0)
    spread = sqrt(sum(one * one for one in left) / max(len(left) - known, 1))
    return msgspec.structs.replace(model, spread=spread)


def _clipped(spent: Sequence[float]) -> list[float]:
    """The values, of which the dearest twentieth (one at least) counts as the dearest of the rest.

    A single day that ran away says little about the next month; days that do it again and again count.
    """
    if len(spent) < _CLIPPED_FROM:
        return list(spent)
    most = sorted(spent)[-1 - max(1, len(spent) // _CLIPPED_SHARE)]
    return [min(value, most) for value in spent]


def _factors(days: Sequence[date], values: Sequence[float]) -> tuple[float, ...]:
    """How much dearer each day of the week is than an average one, as closely as the days seen allow."""
    if len(days) >= _WEEKDAYS_FROM:
        groups: list[tuple[int, ...]] = [(day,) for day in range(7)]
    elif len(days) >= _WEEKENDS_FROM:
        groups = [(0, 1, 2, 3, 4), (5, 6)]
    else:
        return (1.0,) * 7
    means = [0.0] * 7
    for group in groups:
        own = fmean(value for day, value in zip(days, values, strict=True) if day.weekday() in group)
        for weekday in group:
            means[weekday] = own
    average = fmean(means)
    return tuple(one / average for one in means) if average else (1.0,) * 7


def _slope(points: Sequence[tuple[int, float]]) -> float:
    """Theil and Sen's slope, where Mann and Kendall's test is sure that there is one; else 0."""
    count = len(points)
    if count < _TREND_FROM:
        return 0.0
    pairs = list(combinations(points, 2))
    score = sum((late > early) - (late < early) for (_, early), (_, late) in pairs)
    deviation = sqrt(count * (count - 1) * (2 * count + 5) / 18)
    if abs(score) / deviation < _SURE:
        return 0.0
    return median((late - early) / (after - before) for (before, early), (after, late) in pairs)
