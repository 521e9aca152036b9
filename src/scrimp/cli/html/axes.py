"""What stands on axes: days, and round amounts of dollars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from scrimp.core import money

__all__ = ["day_labels", "dollar_labels"]

_CENT = Decimal("0.01")
_LABELS = 6
"""As many days as fit on a phone."""


def day_labels(days: Sequence[date]) -> list[tuple[float, str]]:
    """Where a few of the days stand across, and their names: `9 Feb`."""
    count = len(days)
    stride = max(-(-count // _LABELS), 1)
    return [
        ((at + 0.5) / count, f"{day:%d %b}".lstrip("0")) for at, day in enumerate(days) if at % stride == 0
    ]


def dollar_labels(top: int) -> list[tuple[float, str]]:
    """Nothing, half and all of `top` picodollars."""
    return [(share, _dollars(round(top * share))) for share in (0.0, 0.5, 1.0)]


def _dollars(amount: int) -> str:
    value = money.dollars(amount)
    if value >= 10 or not value:
        return f"${value:,.0f}"
    return f"${max(value.normalize(), value.quantize(_CENT), key=_places):f}"


def _places(value: Decimal) -> int:
    return -int(value.as_tuple().exponent)
