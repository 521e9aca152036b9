"""Budgets as options write them: an amount of dollars, and what it is for."""

from __future__ import annotations

from typing import cast, get_args

import click

from scrimp.core.budget import Limit, Scope, Window
from scrimp.core.budget_words import amount_of

__all__ = ["read_budget"]


def read_budget(text: str, scope: Scope, *, zone: str, now: float) -> Limit:
    """`5.00/day` as a limit of `scope`; without a window it is for good.

    Raises `click.BadParameter` naming what is wrong.
    """
    amount, slash, window = text.partition("/")
    if slash and window not in get_args(Window):
        raise click.BadParameter(f"{text!r}: after the slash stands {' or '.join(get_args(Window))}")
    try:
        picodollars = amount_of(amount)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    chosen = cast(Window, window or "total")
    return Limit(scope=scope, amount=picodollars, window=chosen, zone=zone, created_at=now)
