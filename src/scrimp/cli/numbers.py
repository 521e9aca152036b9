"""How figures are written for people: dollars, tokens, shares, changes. JSON output does not pass here."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["change", "dollar_places", "dollars", "percent", "tokens"]

MINUS = "\N{MINUS SIGN}"


def dollar_places(amounts: Iterable[Decimal]) -> int:
    """Return how many decimals a column of amounts needs to tell its rows apart: 2, 3 or 4."""
    largest = max((abs(amount) for amount in amounts), default=Decimal(0))
    return 2 if largest >= 10 else 3 if largest >= 1 else 4


def dollars(amount: Decimal, places: int | None = None) -> str:
    """Return a USD amount as `$1,234.50`; without `places`, cents from one dollar up and four decimals below.

    Rounded half to even. An amount that would round to zero but is not is written `<$0.0001`.
    """
    if places is None:
        places = 2 if abs(amount) >= 1 or amount == 0 else 4
    unit = Decimal(1).scaleb(-places)
    rounded = abs(amount).quantize(unit, ROUND_HALF_EVEN)
    if rounded == 0 and amount > 0:
        return f"<${unit:f}"
    return f"{MINUS if amount < 0 and rounded else ''}${rounded:,f}"


def percent(share: float | Decimal, places: int = 1) -> str:
    """Return a share of one as `97.8 %`; never rounded up to a whole `100 %` that is not one."""
    text = f"{share * 100:.{places}f}"
    whole = f"{100:.{places}f}"
    if text == whole and share < 1:
        text = f"{100 - 10**-places:.{places}f}"
    return f"{MINUS if share < 0 else ''}{text.lstrip('-')} %"


def change(before: Decimal, after: Decimal) -> str:
    """Return how far `after` lies from `before`: `−62.1 %`, `+3.0 %`, `±0.0 %`; a dash if `before` is 0."""
    if before == 0:
        return "\N{EM DASH}"
    ratio = (after - before) / before
    size = f"{abs(ratio) * 100:.1f}"
    sign = "±" if size == "0.0" else MINUS if ratio < 0 else "+"
    return f"{sign}{size} %"


def tokens(count: int) -> str:
    """Return a token count short enough for an axis or a tooltip: `950`, `12.3k`, `40k`, `1.05M`, `2.16B`."""
    if count < 1_000:
        return str(count)
    if count < 999_950:
        return f"{count / 1_000:.1f}".removesuffix(".0") + "k"
    if count < 999_995_000:
        return f"{count / 1_000_000:.2f}".removesuffix(".00") + "M"
    return f"{count / 1_000_000_000:,.2f}".removesuffix(".00") + "B"
