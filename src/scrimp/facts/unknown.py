"""Prices for model ids that the facts do not know: published elsewhere if they can be had, else the dearest.

A price is never zero: an unknown model that cost nothing would empty a budget unseen.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from scrimp.facts.prices import PriceRow, Rates, Tier, per_million

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genai_prices.types import ModelPrice, TieredPrices
    from genai_prices.types import Tier as PricedTier

__all__ = ["dearest", "published_elsewhere"]

_KEYS = ("input_mtok", "cache_write_mtok", "cache_write_1h_mtok", "cache_read_mtok", "output_mtok")


def published_elsewhere(spellings: Sequence[str]) -> tuple[PriceRow, ...] | None:
    """The dated prices genai-prices holds for the Anthropic model of exactly one of these names, or None."""
    # A fifth of a second to import, which only an unknown id should pay.
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  # as said
    from genai_prices.types import StartDateConstraint  # noqa: PLC0415  # as said

    snapshot = get_snapshot()
    try:
        provider = snapshot.find_provider(None, "anthropic", None)
    except LookupError:
        return None
    for spelling in spellings:
        # Not by the snapshot's own look-up: that keeps every name for good, and callers make up any number.
        found = provider.find_model(spelling, all_providers=snapshot.providers)
        # A model found by how its name begins may be another one, and cheaper.
        if found is None or found.id.removesuffix("-latest") not in spellings:
            continue
        if not isinstance(found.prices, list):
            return _rows([(date.min, found.prices)])
        return _rows(
            [
                (part.constraint.start_date, part.prices)
                if isinstance(part.constraint, StartDateConstraint)
                else (date.min, part.prices)
                for part in found.prices
            ]
        )
    return None


def dearest(rows: Sequence[PriceRow]) -> PriceRow:
    """One row with the highest rate of each category among many, tiers included."""
    every = [rates for row in rows for rates in row.all_rates]
    return PriceRow(
        date.min,
        Rates(
            input=max(rates.input for rates in every),
            write_5m=max(rates.write_5m for rates in every),
            write_1h=max(rates.write_1h for rates in every),
            read=max(rates.read for rates in every),
            output=max(rates.output for rates in every),
        ),
    )


def _rows(parts: Sequence[tuple[date, ModelPrice]]) -> tuple[PriceRow, ...] | None:
    """Price rows in our units; None where a price is missing, zero, or no whole number of picodollars."""
    rows = []
    for since, price in parts:
        bounds = {tier.start for key in _KEYS for tier in _tiers(getattr(price, key))}
        try:
            base = _rates(price, _base)
            tiers = tuple(Tier(above, _rates(price, _above(above))) for above in sorted(bounds))
        except ValueError:
            return None
        rows.append(PriceRow(since, base, tiers))
    return tuple(rows)


def _rates(price: ModelPrice, pick: Callable[[Decimal | TieredPrices], Decimal]) -> Rates:
    given = {key: getattr(price, key) for key in _KEYS}
    plain = given["input_mtok"]
    # A category without a price of its own is billed as plain input.
    found = [per_million(pick(given[key] or plain)) if given[key] or plain else 0 for key in _KEYS]
    if given["output_mtok"] is None or not all(found):
        raise ValueError("a price is missing or zero")
    return Rates(*found)


def _base(price: Decimal | TieredPrices) -> Decimal:
    return price if isinstance(price, Decimal) else price.base


def _above(bound: int) -> Callable[[Decimal | TieredPrices], Decimal]:
    def pick(price: Decimal | TieredPrices) -> Decimal:
        reached = [tier.price for tier in _tiers(price) if tier.start <= bound]
        return reached[-1] if reached else _base(price)

    return pick


def _tiers(price: Decimal | TieredPrices | None) -> Sequence[PricedTier]:
    return getattr(price, "tiers", ())
