"""When the gateway tries again: by the rules of the official SDKs, and only for clients that never do."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

__all__ = ["CLIENT_RETRIES", "is_worth_retrying", "pause_before"]

CLIENT_RETRIES = b"x-stainless-retry-count"
"""Sent by the official SDKs, and by Claude Code, which retry by themselves: two layers multiply load."""

_RETRIED = frozenset({408, 409, 429})
_LONGEST_PAUSE = 8.0
_FIRST_PAUSE = 0.5


def is_worth_retrying(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the same request may succeed a moment later."""
    if status < 400:  # an answer is billed, whatever its headers say
        return False
    said = headers.get("x-should-retry")
    if said is not None:
        return said == "true"
    return status in _RETRIED or status >= 500


def pause_before(again: int, headers: Mapping[str, str], *, now: float, chance: float) -> float | None:
    """Seconds to wait before the attempt number `again` (1: the first retry); None: longer than we hold a
    caller's request, who is then told what the upstream said. `chance` is between 0 and 1.
    """
    asked = _asked(headers, now)
    if asked is not None and asked > 0:
        return asked if asked <= _LONGEST_PAUSE else None
    pause = min(_FIRST_PAUSE * 2.0 ** (again - 1), _LONGEST_PAUSE)
    return pause * (1.0 - 0.25 * chance)


def _asked(headers: Mapping[str, str], now: float) -> float | None:
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return float(value) / unit
        except ValueError:
            pass
        try:
            return parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError):
            continue
    return None
