"""What monthly limit to set at the provider, from what was spent on each day.

A limit of scrimp's is one in code: it holds for calls that pass through scrimp. The provider's own spend
limit holds for every call of an organisation or workspace, whoever makes it, and stands behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import msgspec

from scrimp.core.advice_model import DayModel, Forecast, fit
from scrimp.core.money import PICODOLLARS

__all__ = ["ENOUGH_DAYS", "Advice", "Hindsight", "MonthAhead", "advise_limit", "round_between"]

ENOUGH_DAYS = 14
"""Two whole weeks: with fewer days there is a range instead of a figure."""

MOST_DAYS = 91

_CENT = PICODOLLARS // 100


class MonthAhead(msgspec.Struct, frozen=True, kw_only=True):
    """A month (its first day) that is not over: what is spent, and what it will be; picodollars.

    `low` to `high` holds 4 times in 5 where the days to come are like those seen.
    """

    month: date
    so_far: int
    expected: int
    low: int
    high: int


class Hindsight(msgspec.Struct, frozen=True, kw_only=True):
    """What the limit would have done in the month before: `reached_on` None is never.

    `beyond` is what was spent above it. `seen_from` is the first day the ledger knows of that month.
    """

    month: date
    seen_from: date
    spent: int
    reached_on: date | None
    beyond: int


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to set. `limit` is 20 to 30 % above the dearer of both months, `highest` the same above the most
    that the days seen leave possible; without `enough` days the truth lies anywhere between.

    `days` are whole ones, from `first` on; `trend` is the factor of 30 days; `dearest` the dearest of them.
    """

    days: int
    first: date
    enough: bool
    trend: float
    dearest: tuple[date, int]
    this_month: MonthAhead
    next_month: MonthAhead
    limit: int
    highest: int
    last_month: Hindsight | None


def advise_limit(spent: Mapping[date, int], today: date) -> Advice | None:
    """The advice from picodollars a day (UTC), `today` not over; None before one whole day was seen.

    Days without spending need not be there.
    """
    past = sorted(day for day, amount in spent.items() if day < today and amount > 0)
    if not past:
        return None
    first = max(past[0], today - timedelta(MOST_DAYS))
    days = [first + timedelta(offset) for offset in range((today - first).days)]
    seen = days[1:] if len(days) > 7 else days  # the first day is seldom a whole one
    model = fit(seen[0], [float(spent.get(day, 0)) for day in seen])
    this_month = _ahead(model, spent, today, today.replace(day=1))
    next_month = _ahead(model, spent, today, _next(today))
    limit = round_between(*_margin(max(this_month.expected, next_month.expected)))
    highest = round_between(*_margin(max(this_month.high, next_month.high)))
    dearest = max(seen, key=lambda day: spent.get(day, 0))
    return Advice(
        days=len(seen),
        first=seen[0],
        enough=len(seen) >= ENOUGH_DAYS,
        trend=model.trend,
        dearest=(dearest, spent.get(dearest, 0)),
        this_month=this_month,
        next_month=next_month,
        limit=limit,
        highest=max(highest, limit),
        last_month=_hindsight(spent, today, past[0], limit),
    )


def round_between(low: int, high: int) -> int:
    """The roundest number of dollars from `low` to `high`, in cents at the finest."""
    middle = (low + high) // 2
    step = PICODOLLARS * 10**9
    while step > _CENT:
        for unit in (step, step // 2):
            nearest = (middle + unit // 2) // unit * unit
            if low <= nearest <= high:
                return nearest
        step //= 10
    return -(-middle // _CENT) * _CENT


def _margin(expected: int) -> tuple[int, int]:
    """20 to 30 % above."""
    return -(-expected * 6 // 5), expected * 13 // 10


def _ahead(model: DayModel, spent: Mapping[date, int], today: date, month: date) -> MonthAhead:
    so_far = sum(amount for day, amount in spent.items() if month <= day <= today)
    begin = max(month, today)
    days = [begin + timedelta(offset) for offset in range((_next(month) - begin).days)]
    rest: Forecast = model.forecast(days)
    done = spent.get(today, 0) if begin == today else 0
    return MonthAhead(
        month=month,
        so_far=so_far,
        # What today is expected to cost is partly spent.
        expected=so_far + max(int(rest.expected) - done, 0),
        low=so_far + max(int(rest.low) - done, 0),
        high=so_far + max(int(rest.high) - done, 0),
    )


def _hindsight(spent: Mapping[date, int], today: date, first: date, limit: int) -> Hindsight | None:
    month = (today.replace(day=1) - timedelta(1)).replace(day=1)
    end = _next(month)
    if first >= end:
        return None
    total, reached = 0, None
    for day in sorted(day for day in spent if month <= day < end):
        total += spent[day]
        if reached is None and total > limit:
            reached = day
    return Hindsight(
        month=month,
        seen_from=max(first, month),
        spent=total,
        reached_on=reached,
        beyond=max(total - limit, 0),
    )


def _next(day: date) -> date:
    """The first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(32)).replace(day=1)
