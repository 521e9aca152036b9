"""What a ledger's writer is given: records, and what is asked of budgets, in the order it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import msgspec

from scrimp.core.budget import Ask, Settlement
from scrimp.core.budget_books import Books
from scrimp.core.record import Record
from scrimp.errors import BudgetUnavailable, StoreError
from scrimp.stores.budget_views import charge_of

__all__ = ["Extended", "Item", "Kept", "Released", "answers_to", "fault_of", "holds_in"]


@final
class Kept(msgspec.Struct, frozen=True, gc=False):
    """A record to write, and the hold it settles."""

    record: Record
    settlement: Settlement | None


@final
class Released(msgspec.Struct, frozen=True):
    """A hold to release."""

    hold: str


@final
class Extended(msgspec.Struct, frozen=True):
    """A lease to make longer."""

    hold: str
    lease_until: float


Item: TypeAlias = Kept | Ask | Released | Extended
"""What a ledger's writer is given. Told apart by `type`: `isinstance` asks the classes of msgspec in Python's
slowest way."""


def holds_in(items: Sequence[Item]) -> list[str]:
    """Every hold that a batch may touch."""
    ids = []
    for item in items:
        if type(item) is Kept:
            ids.append(item.record.id)
            if item.settlement is not None:
                ids.append(item.settlement.hold)
        else:
            ids.append(item.id if type(item) is Ask else item.hold)
    return ids


def answers_to(books: Books, items: Sequence[Item], new: set[str], unavailable: str | None) -> list[Any]:
    """Do what each item says. `new` are the ids of records that were not there before, and not yet counted;
    `unavailable` is why no money can be held."""
    answers: list[Any] = []
    for item in items:
        if type(item) is Kept:
            record = item.record
            is_new = record.id in new
            if is_new:
                new.remove(record.id)
            answers.append(books.book(charge_of(record), item.settlement, new=is_new))
        elif type(item) is Ask:
            answers.append(books.reserve(item) if unavailable is None else BudgetUnavailable(unavailable))
        else:
            answers.append(None)
            if type(item) is Released:
                books.release(item.hold)
            else:
                books.extend(item.hold, item.lease_until)
    return answers


def fault_of(item: Item | None, why: str) -> Exception:
    """What to say of an item that was not written: a call whose money is not held does not go out."""
    return BudgetUnavailable(why) if isinstance(item, Ask) else StoreError(why)
