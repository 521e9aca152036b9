"""The budget of a run: money held, spent, and carved out for the runs inside it.

A run inside another takes its whole budget out of the outer one's when it begins, so that neither can spend
what the other counts on; what it does not spend goes back when it ends. Money in picodollars.
"""

from __future__ import annotations

from scrimp.core.budget import Held, Limit, Refusal, Settlement

__all__ = ["Purse"]


class Purse:
    """A budget of one run. Not thread-safe: whoever shares one holds one lock around the whole tree of it.

    `outer` is the purse that this one is carved out of; nothing is done with it before it was `open`ed.
    """

    def __init__(self, limit: Limit, key: str = "", outer: Purse | None = None) -> None:
        """`key` names the hold in the outer purse: two runs of one name may run side by side."""
        self.limit = limit
        self.spent = 0
        self.overrun = 0
        self._key = key
        self._outer = outer
        self._holds: dict[str, int] = {}
        self._passed_on = 0
        self._closed = True

    @property
    def held(self) -> int:
        """What is held for calls under way, and for runs inside this one."""
        return sum(self._holds.values())

    @property
    def left(self) -> int:
        """What may still be asked for; negative after a bill above its hold."""
        return self.limit.amount - self.spent - self.held

    def open(self) -> Refusal | None:
        """Carve what is left of the budget out of the outer one, which may refuse.

        Calls of an earlier time that are still under way have their part there already.
        """
        if self._outer is not None and self._closed:
            carved = self.limit.amount - self._passed_on
            refused = self._outer.grow(self._key, max(0, carved - self._outer.holds(self._key)))
            if refused is not None:
                return refused
        self._closed = False
        return None

    def holds(self, hold: str) -> int:
        """What is held under a name."""
        return self._holds.get(hold, 0)

    def reserve(self, hold: str, amount: int) -> Held | Refusal:
        """Hold `amount`, or say why not."""
        refused = self.grow(hold, amount)
        return refused or Held(hold, amount, (self.limit.id,))

    def grow(self, hold: str, amount: int) -> Refusal | None:
        """Hold `amount` more; where the run is over, its rest went back and has to be had from there."""
        if amount > self.left:
            return Refusal(self.limit, self.limit.scope, self.spent, self.held, amount)
        refused = self._outer.grow(self._key, amount) if self._outer and self._closed else None
        if refused is None:
            self._holds[hold] = self.holds(hold) + amount
        return refused

    def release(self, hold: str) -> None:
        """Nothing was billed; without such a hold, nothing happens."""
        if self._holds.pop(hold, None) is not None:
            self._changed()

    def settle(self, settlement: Settlement) -> None:
        """Count a bill; what it is above its hold is counted too, and as `overrun`."""
        held = self._holds.pop(settlement.hold, None)
        if held is None:
            return
        self.spent += settlement.amount
        self.overrun += max(0, settlement.amount - held)
        self._changed()

    def close(self) -> None:
        """The run is over: what it did not spend goes back, once its last call is settled."""
        self._closed = True
        self._changed()

    def rehold(self, hold: str, amount: int) -> None:
        """A run inside this one needs more than was carved for it, or is over and needs less."""
        self._holds[hold] = amount
        self._changed()

    def _changed(self) -> None:
        """Pass on to the outer purse what it has to know: bills beyond what was carved, and the end."""
        if self._outer is None:
            return
        needed = self.spent - self._passed_on + self.held
        carved = 0 if self._closed else self.limit.amount - self._passed_on
        self._outer.rehold(self._key, max(needed, carved))
        if self._closed and not self._holds:
            self._outer.settle(Settlement(self._key, needed))
            self._passed_on = self.spent
