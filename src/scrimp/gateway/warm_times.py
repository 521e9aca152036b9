"""When a prefix is to be warm: days of the week and times of day, where its users live."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scrimp.gateway.cache_settings import WarmSettings

__all__ = ["opened_at"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY = 24 * 60


def opened_at(settings: WarmSettings, now: float) -> float | None:
    """When the time that `now` is within began, both in epoch seconds; None outside of it.

    A time that ends on the next day belongs to the day on which it began. Without days and times it never
    ends: it then began with each day.
    """
    local = datetime.fromtimestamp(now, ZoneInfo(settings.zone))
    for back in (0, 1):
        day = (local - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if settings.days and _DAYS[day.weekday()] not in settings.days:
            continue
        start = _at(day, settings.start)
        ends = settings.end if settings.end > settings.start else settings.end + _WHOLE_DAY
        if start.timestamp() <= now < _at(day, ends).timestamp():
            return start.timestamp()
    return None


def _at(midnight: datetime, minutes: int) -> datetime:
    """That time of day by the clock on the wall, also on days that are an hour longer or shorter."""
    days, minutes = divmod(minutes, _WHOLE_DAY)
    day = midnight + timedelta(days=days)
    return day.replace(hour=minutes // 60, minute=minutes % 60)
