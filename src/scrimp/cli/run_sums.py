"""Runs added up, for the tables of page and terminal alike."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from scrimp.cli.html.values import RunRow
from scrimp.cli.numbers import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["amount_cell", "sum_of"]


def sum_of(rows: Sequence[RunRow], name: str) -> RunRow:
    """Return all rows as one; an amount that any row lacks is None, the read share is that of all tokens."""
    usd: dict[str, Decimal | None] = {}
    for column in rows[0].usd if rows else ():
        known = [amount for row in rows if (amount := row.usd[column]) is not None]
        usd[column] = sum(known, Decimal(0)) if len(known) == len(rows) else None
    tokens = sum(row.input_tokens for row in rows)
    read = sum(row.read_share * row.input_tokens for row in rows)
    calls = sum(row.calls for row in rows)
    return RunRow(name, calls, usd, read / tokens if tokens else 0.0, input_tokens=tokens)


def amount_cell(amount: Decimal | None, places: int) -> str:
    """Return an amount for a column that says dollars in its heading; a dash for None."""
    return "\N{EN DASH}" if amount is None else dollars(amount, places).replace("$", "")
