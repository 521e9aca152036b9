"""Prices: dated rows, whole-request tiers, and the factors that multiply them, all in integer picodollars.

One US dollar is 10**12 picodollars, so a price of 1 USD per million tokens is 10**6 picodollars per token and
every published price, discounted and surcharged, is a whole number of them.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

__all__ = ["PICODOLLARS", "PriceRow", "Rates", "Tier", "ladder", "per_million", "picodollars", "row_at"]

PICODOLLARS = 10**12
"""Picodollars in one US dollar."""

_TOKENS_PER_PRICE = 10**6


class Rates(msgspec.Struct, frozen=True):
    """What one token of each category costs, in picodollars."""

    input: int
    write_5m: int
    write_1h: int
    read: int
    output: int

    def scaled(self, factor: Fraction) -> Rates:
        """Every rate times `factor`. Raises ValueError where that is not a whole number of picodollars."""
        if factor == 1:
            return self
        scaled = [factor * rate for rate in msgspec.structs.astuple(self)]
        if any(rate.denominator != 1 for rate in scaled):
            raise ValueError(f"prices times {factor} are not whole picodollars: give fewer decimals")
        return Rates(*map(int, scaled))


class Tier(msgspec.Struct, frozen=True):
    """Prices of a whole request whose prompt (plain, written and read tokens) is longer than `above`."""

    above: int
    rates: Rates


class PriceRow(msgspec.Struct, frozen=True):
    """Prices from one day on; `until` is the first day they no longer hold (None: until the next row)."""

    since: date
    base: Rates
    tiers: tuple[Tier, ...] = ()
    until: date | None = None

    @property
    def all_rates(self) -> Iterator[Rates]:
        """The base prices and those of each tier."""
        yield self.base
        for tier in self.tiers:
            yield tier.rates


def picodollars(usd: str | Decimal, *, per: int = 1) -> int:
    """Read an exact decimal USD amount for `per` units as picodollars per unit.

    Raises ValueError when the text is no such amount, is negative, or has too many decimals.
    """
    try:
        amount = Decimal(usd)
    except InvalidOperation:
        raise ValueError(f"{usd!r} is not a decimal number of dollars") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{usd!r} is not an amount of dollars")
    exact = Fraction(amount) * PICODOLLARS / per
    if exact.denominator != 1:
        raise ValueError(f"{usd!r} has more decimals than a whole number of picodollars allows")
    return int(exact)


def per_million(usd: str | Decimal) -> int:
    """Read USD per million tokens as picodollars per token; raises ValueError as `picodollars` does."""
    return picodollars(usd, per=_TOKENS_PER_PRICE)


def row_at(rows: Sequence[PriceRow], at: date | None) -> PriceRow | None:
    """The row in force on a day: the last one begun, the first one before all of them, None once ended.

    Without a day, the newest row.
    """
    if not rows:
        return None
    if at is None:
        return rows[-1]
    begun = [row for row in rows if row.since <= at]
    row = begun[-1] if begun else rows[0]
    return None if row.until is not None and at >= row.until else row


def ladder(row: PriceRow, factors: Iterable[Fraction]) -> tuple[tuple[int, Rates], ...]:
    """A row's prices times `factors` as (above, rates) steps: highest tier first, the base last at -1."""
    product = Fraction(1)
    for factor in factors:
        product *= factor
    steps = [(tier.above, tier.rates.scaled(product)) for tier in row.tiers]
    return (*sorted(steps, key=lambda step: -step[0]), (-1, row.base.scaled(product)))
