"""Budgets: limits, what is held against them, and what is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scrimp.core.budget import Ask, Held, Limit, Refusal, Scope, Standing, Why
from scrimp.stores.promise import Promise

__all__ = ["Budgets"]


class Budgets(Protocol):
    """Limits, and the money held against them. A hold is settled by its record: see `Ledger.submit`.

    Every method may be called from any thread. What cannot be told raises `BudgetUnavailable` where a limit
    is set, so that nothing is spent beyond it.
    """

    def reserve(self, ask: Ask) -> Promise[Held | Refusal]:
        """Hold the money in every scope that is limited, or in none; done when it is durable.

        Never blocks on the disk and never raises. Done at once where nothing limits the call. It cannot be
        cancelled: whoever stops waiting must release the hold. Asking again with the id of a hold holds
        nothing more. The promise may carry `BudgetUnavailable`.
        """
        ...

    def release(self, hold: str) -> Promise[None]:
        """Nothing was billed: the money is free again. Without such a hold, nothing happens."""
        ...

    def extend(self, hold: str, lease_until: float) -> Promise[None]:
        """The call is still under way. A lease that ran out before stays so until the bill is known."""
        ...

    def limits(self) -> Sequence[Limit]:
        """The limits in force, widest scope first; cheap. Raises `BudgetUnavailable`."""
        ...

    def put(self, limit: Limit) -> None:
        """Set a limit, or change the one of its scope and window; what is spent so far counts.

        Calls that were under way unlimited hold nothing, and count when their records are written. Raises
        `InputError` for a limit that cannot be kept, `BudgetUnavailable`, `StoreError`.
        """
        ...

    def remove(self, limit_id: str) -> bool:
        """Drop a limit; whether there was one. Raises `BudgetUnavailable`, `StoreError`."""
        ...

    def standings(self, now: float) -> Sequence[Standing]:
        """How every limit stands: widest scope first, the members of an `EACH` limit dearest first.

        Raises `BudgetUnavailable`, `StoreError`.
        """
        ...

    def why(self, limit_id: str, now: float, member: Scope | None = None) -> Why | None:
        """What is behind a limit's standing, or that of one `member`; None without such a limit.

        Raises as `standings`.
        """
        ...

    def resume(self) -> bool:
        """Go on where limits were set over a ledger that is no longer there; whether that was so.

        What is spent is then what the present ledger says. Raises `StoreError`.
        """
        ...

    def recover(self, now: float) -> int:
        """Count what was held by those who died as spent; how many holds that were. Also done by itself."""
        ...
