"""Limits as stores keep them: checked when they are set, each with the name of its series of counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo
from secrets import token_hex
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from scrimp.core.budget import EACH, Limit
from scrimp.core.budget_terms import Term, Terms
from scrimp.errors import InputError

__all__ = ["MOST", "Entry", "checked", "put_entry", "terms_of"]

MOST = 2**62
"""Picodollars (4.6 million dollars) that a limit stays below, so that what is asked of it fits 64 bits."""


class Entry(msgspec.Struct, frozen=True):
    """A limit that is set, and its series: what counts under it, until its zone changes or it is removed."""

    limit: Limit
    series: str


def checked(limit: Limit) -> Limit:
    """The limit itself. Raises InputError for one that cannot be kept."""
    name = f"limit {limit.id}"
    if not 0 <= limit.amount < MOST:
        raise InputError(f"{name}: the amount must be from $0 to below $4,611,686")
    if any(not 0 < percent <= 1000 for percent in limit.alert_at):
        raise InputError(f"{name}: alerts are whole per cent of the amount, above 0")
    if (limit.scope.kind == "organisation") != (limit.scope.name == ""):
        raise InputError(f"{name}: the organisation has no name, every other scope has one (or {EACH})")
    try:
        limit.id.encode()
        _zone(limit.zone)
    except UnicodeEncodeError:
        raise InputError(f"{name!a}: the name is not Unicode text") from None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"{name}: unknown time zone {limit.zone!r}; write one like Europe/Berlin") from None
    return limit


def put_entry(entries: Iterable[Entry], limit: Limit) -> tuple[Entry, ...]:
    """The entries with this limit in place of the one of its scope and window."""
    kept = {entry.limit.id: entry for entry in entries}
    before = kept.get(limit.id)
    same = before is not None and before.limit.zone == limit.zone
    series = before.series if before is not None and same else token_hex(8)
    return tuple({**kept, limit.id: Entry(limit, series)}.values())


def terms_of(entries: Iterable[Entry]) -> Terms:
    """The limits at work."""
    return Terms(Term(entry.limit, entry.series, _zone(entry.limit.zone)) for entry in entries)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)  # a system without time zones knows this one
