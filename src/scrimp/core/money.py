"""Exact money: integer picodollars inside, decimal US dollars where people and files see it.

Amounts are added as integers and turned into dollars once, at the end of each row that is shown, so that no
total ever differs from the sum of its parts by more than the rounding of that one row.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from scrimp.facts.prices import PICODOLLARS, picodollars

__all__ = ["PICODOLLARS", "dollars", "picodollars", "rounded", "usd", "usd_per_million"]

_PLACES = 12
_PER_MILLION = 10**6


def usd(amount: int) -> str:
    """Picodollars as an exact decimal string of US dollars, without exponent or needless zeros."""
    if 0 < amount < PICODOLLARS:  # as most calls cost: in a third of the time
        return "0." + str(amount + PICODOLLARS)[1:].rstrip("0")
    if not amount:
        return "0"
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), PICODOLLARS)
    if not rest:
        return f"{sign}{whole}"
    fraction = f"{rest:0{_PLACES}d}".rstrip("0")
    return f"{sign}{whole}.{fraction}"


def usd_per_million(rate: int) -> str:
    """Picodollars per token as an exact decimal string of US dollars per million tokens."""
    return usd(rate * _PER_MILLION)


def dollars(amount: int) -> Decimal:
    """Picodollars as exact US dollars."""
    return Decimal(usd(amount))


def rounded(amount: int, places: int = 4) -> Decimal:
    """Picodollars as US dollars rounded once, half to even, for one row of a table."""
    exact = dollars(amount)
    digits = len(exact.as_tuple().digits) + places  # an absurd amount is shown, not refused
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, Context(prec=max(28, digits)))
