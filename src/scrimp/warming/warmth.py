"""What came of warming a prefix."""

from __future__ import annotations

from decimal import Decimal

import msgspec

__all__ = ["Warmth"]


class Warmth(msgspec.Struct, frozen=True):
    """What came of it: whether a request was `sent`, and why, or why not, in one line.

    `written` and `read` are tokens, `cost` is in US dollars: as billed, or 0 where nothing was sent. The
    prefix can be read until `expires_at`, epoch seconds (None: it is not known to be warm); every use
    prolongs that.
    """

    sent: bool
    why: str
    written: int = 0
    read: int = 0
    cost: Decimal = Decimal(0)
    expires_at: float | None = None
