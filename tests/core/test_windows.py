"""Days and months of time zones, as instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.budget import Window
from scrimp.core.windows import ALWAYS, span_of

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "Asia/Kolkata",
    "Asia/Kathmandu", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana",
]  # fmt: skip


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def span(window: Window, time: str, zone: str) -> tuple[str, str]:
    found = span_of(window, at(time), ZoneInfo(zone))
    assert found.end is not None
    return tuple(datetime.fromtimestamp(when, UTC).isoformat() for when in found)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("window", "time", "zone", "start", "end"),
    [
        ("day", "2026-05-28T12:00Z", "UTC", "2026-05-28T00:00", "2026-05-29T00:00"),
        ("day", "2026-05-28T00:00Z", "UTC", "2026-05-28T00:00", "2026-05-29T00:00"),
        ("day", "2026-05-27T23:59:59.999Z", "UTC", "2026-05-27T00:00", "2026-05-28T00:00"),
        ("month", "2026-12-31T23:59Z", "UTC", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "2028-02-29T12:00Z", "UTC", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("day", "2026-05-28T12:00Z", "Asia/Kolkata", "2026-05-27T18:30", "2026-05-28T18:30"),
        # Clocks go forward on 29 March and back on 25 October 2026: days of 23 and of 25 hours.
        ("day", "2026-03-29T12:00Z", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", "2026-10-25T12:00Z", "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("month", "2026-03-15T12:00Z", "Europe/Berlin", "2026-02-28T23:00", "2026-03-31T22:00"),
        # 4 November 2018 began at one o'clock in São Paulo: there was no midnight.
        ("day", "2018-11-04T12:00Z", "America/Sao_Paulo", "2018-11-04T03:00", "2018-11-05T02:00"),
        ("day", "2018-11-04T02:59Z", "America/Sao_Paulo", "2018-11-03T03:00", "2018-11-04T03:00"),
        # On 29 October 2006 the hour after midnight came twice in Havana: one day all the same.
        ("day", "2006-10-29T05:30Z", "America/Havana", "2006-10-29T04:00", "2006-10-30T05:00"),
        # On 29 October 2006 St John's went back from 00:01 to 23:01 of the day before.
        ("day", "2006-10-29T02:31Z", "America/St_Johns", "2006-10-29T02:30", "2006-10-30T03:30"),
        ("day", "2006-10-29T03:00Z", "America/St_Johns", "2006-10-29T02:30", "2006-10-30T03:30"),
        # Apia left out 30 December 2011.
        ("day", "2011-12-30T11:00Z", "Pacific/Apia", "2011-12-30T10:00", "2011-12-31T10:00"),
    ],
)
def test_windows_by_the_calendar(window: Window, time: str, zone: str, start: str, end: str) -> None:
    assert span(window, time, zone) == (f"{start}:00+00:00", f"{end}:00+00:00")


def test_total_never_ends() -> None:
    assert span_of("total", at("2026-05-28T12:00Z"), UTC) == ALWAYS
    assert ALWAYS.holds(-1e11)
    assert ALWAYS.holds(1e11)


@given(
    window=st.sampled_from(["day", "month"]),
    zone=st.sampled_from(ZONES),
    when=st.floats(-1e9, 4e9) | st.floats(at("2006-10-28T00:00Z"), at("2006-10-30T00:00Z")),
)
def test_every_instant_is_in_one_window(window: Window, zone: str, when: float) -> None:
    tz = ZoneInfo(zone)
    found = span_of(window, when, tz)
    assert found.end is not None
    assert found.start <= when < found.end
    assert span_of(window, found.start, tz) == found
    longest = timedelta(hours=49) if window == "day" else timedelta(days=33)
    assert 0 < found.end - found.start <= longest.total_seconds()
    after = span_of(window, found.end, tz)
    before = span_of(window, found.start - 0.001, tz)
    assert (before.end, after.start) == (found.start, found.end)


@pytest.mark.parametrize("zone", ZONES)
def test_windows_of_years_follow_one_another(zone: str) -> None:
    tz = ZoneInfo(zone)
    spans = {span_of("day", at("2005-01-01T12:00Z") + hours * 10800, tz) for hours in range(8 * 365 * 8)}
    ordered = sorted(spans, key=lambda found: found.start)
    assert all(one.end == two.start for one, two in pairwise(ordered))
    assert len(ordered) in range(8 * 365 - 2, 8 * 365 + 5)


@pytest.mark.parametrize("when", [-1e13, -62135596800.0, 253402300799.0, 1e13])
@pytest.mark.parametrize("hours", [-12, 14])
@pytest.mark.parametrize("window", ["day", "month"])
def test_times_beyond_the_calendar_have_a_window(window: Window, hours: int, when: float) -> None:
    found = span_of(window, when, timezone(timedelta(hours=hours)))
    assert found.end is not None
    assert found.start < found.end
