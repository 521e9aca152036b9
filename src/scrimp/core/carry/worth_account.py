"""The account of a conversation that carries less: what it has cost, and what it would have cost untouched.

Letting content go costs first and saves later, and nobody knows whether a later comes. So each conversation
may only risk what it has saved so far and a small share of what it would have cost until now: whenever it
ends, it has not cost more than that share beyond what it would have cost anyway.
"""

from __future__ import annotations

import msgspec

__all__ = ["RISK", "Account"]

RISK = 0.008
"""The share of a conversation's own cost that carrying less may lose."""


class Account(msgspec.Struct, frozen=True):
    """Picodollars of input so far: `alone` as it would have been with nothing removed, `paid` as it was.

    `paid` holds everything that carrying less has cost: broken caches, summaries, what was fetched again.
    """

    alone: int = 0
    paid: int = 0

    @property
    def saved(self) -> int:
        """What carrying less has saved so far; negative where it has cost more than it saved."""
        return self.alone - self.paid

    def after(self, alone: int, paid: int) -> Account:
        """The account once a call is billed that would have cost `alone` and was `paid`."""
        return Account(self.alone + alone, self.paid + paid)

    def may_lose(self, risk: float = RISK) -> int:
        """What can still be lost, picodollars."""
        return self.saved + int(risk * self.alone)
