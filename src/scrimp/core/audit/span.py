"""When the audited calls happened, and what their dollars come to in a month."""

from __future__ import annotations

import msgspec

__all__ = ["Span"]

_MONTH_DAYS = 30
_LEAST_DAYS = 7
"""Days below which a month is not to be told from them."""


class Span(msgspec.Struct, frozen=True):
    """When the audited calls happened, epoch seconds (None: no call has a time).

    `days` is the number of days that dollars per month are scaled from: at least one, and one for calls
    without times.
    """

    began: float | None = None
    ended: float | None = None
    days: float = 1.0

    def monthly(self, amount: int) -> int:
        """Picodollars in the span as picodollars in a month of 30 days."""
        return round(amount * _MONTH_DAYS / self.days)

    @property
    def scales(self) -> bool:
        """Whether the span is long enough to speak of a month."""
        return self.began is not None and self.days >= _LEAST_DAYS
