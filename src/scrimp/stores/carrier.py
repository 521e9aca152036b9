"""Another process that writes to a ledger's file, for those who hand it what is to be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from scrimp.stores.ledger_items import Item
from scrimp.stores.promise import Promise

__all__ = ["Carrier", "Otherwise"]

Otherwise = Callable[[Item, bool], Promise[Any]]
"""Writes an item, awaited or not, in this process after all."""


class Carrier(Protocol):
    """Takes items to the process that writes them. Any thread may call."""

    @property
    def waiting(self) -> int:
        """How many items have no answer yet."""
        ...

    def submit(self, item: Item, *, awaited: bool, otherwise: Otherwise) -> Promise[Any]:
        """As `Writer.submit`; what that process cannot answer any more is written `otherwise`.

        An item may then be written twice: all of them have an id, which makes that harmless.
        """
        ...

    def flush(self, timeout: float) -> None:
        """Return when everything submitted is durable or has failed. Raises StoreError on a stall."""
        ...
