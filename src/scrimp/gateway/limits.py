"""The limits that the settings name, set when a gateway starts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.gateway.settings import Budget
from scrimp.stores.ledger import Ledger

__all__ = ["set_limits"]


def set_limits(ledger: Ledger, wanted: Sequence[Budget], now: float) -> None:
    """Set them; what was spent before counts. One that is there already stays as it is.

    Raises `StoreError` or `InputError` where that cannot be done.
    """
    for budget in wanted:
        limit, budgets = budget.limit(now), ledger.budgets
        there = {one.id: msgspec.structs.replace(one, created_at=0.0) for one in budgets.limits()}
        if there.get(limit.id) != msgspec.structs.replace(limit, created_at=0.0):
            budgets.put(limit)
