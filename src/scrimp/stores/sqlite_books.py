"""The books of budgets as a ledger's writer has them: read from its file as needed, inside a transaction.

Deciding costs no query where this process wrote last: accounts and holds are remembered from one transaction
to the next, until another connection has written (`PRAGMA data_version`) or the limits have changed. Both are
looked at when the transaction has the file to itself, so that no two processes spend the same money.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import inf
from typing import Any

from scrimp.core.budget_books import Account, Accounts, Books
from scrimp.core.budget_terms import Key, Terms
from scrimp.errors import BudgetUnavailable
from scrimp.stores.budget_history import charges_before
from scrimp.stores.budget_tables import (
    add_series,
    count_again,
    due_holds,
    find_account,
    find_holds,
    forget_series,
    next_lease,
    read_extras,
    read_holds,
    series_of,
)
from scrimp.stores.budget_views import BILL_KNOWN
from scrimp.stores.ledger_changes import save
from scrimp.stores.ledger_items import Item, Kept, holds_in
from scrimp.stores.ledger_state import Remembered, State
from scrimp.stores.limits_file import Limits, LimitsFile

__all__ = ["SqliteBooks", "check_ledger"]

_MOST_HOLDS = 20_000
_MOST_ACCOUNTS = 20_000
"""Remembered at most from one transaction to the next."""


class _Loading(Accounts):
    """Accounts that are read when first looked at."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__()
        self._db = db

    def __missing__(self, key: Key) -> Account:
        account = self[key] = find_account(self._db, key)
        return account


class SqliteBooks:
    """The books of one ledger's file. Whoever uses them is inside a transaction that writes."""

    def __init__(self, limits: LimitsFile) -> None:
        self._file = limits
        self._limits: Limits | None = None
        self._db: sqlite3.Connection | None = None
        self._found = State(-1, "", 0, 0, inf)
        self._remembered = Remembered()
        self._series: set[str] = set()
        self._complete = False
        self._holding = False
        self.books = Books()
        self.unavailable: str | None = None

    def concern(self, items: Sequence[Item]) -> bool:
        """Whether any of these has to do with money that is limited."""
        if self.books.terms.all or self._holding or self.unavailable is not None:
            return True
        return not all(isinstance(item, Kept) and item.settlement is None for item in items)

    def open(self, db: sqlite3.Connection) -> State:
        """Bring the books up to date with the file and the limits; how the file is found. Raises nothing of
        its own: `unavailable` says why nothing can be decided, and what is written then is counted when it
        can be."""
        state = self._remembered.look(db)
        self._refresh(db, state)
        limits = self._wanted(state.ledger)
        if limits is not self._limits:
            self._limits = limits
            self.books.terms = limits.terms if limits is not None else Terms()
        wanted = {term.series for term in self.books.terms.all}
        if self.unavailable is not None:
            self._count_later(db)
        elif wanted != self._series:
            self._count_from_now(db, wanted)
        return state

    def load(self, db: sqlite3.Connection, items: Sequence[Item]) -> None:
        """Have the holds at hand that these may touch, those of them that there are."""
        if not self._complete:
            missing = [id_ for id_ in dict.fromkeys(holds_in(items)) if id_ not in self.books.holds]
            for hold in find_holds(db, missing):
                self.books.holds[hold.id] = hold

    def recover(self, db: sqlite3.Connection, now: float) -> int:
        """Count what was held by those who died as spent; how many holds that were."""
        if self._found.next_lease > now:
            return 0
        due = due_holds(db, now)
        self._found = self._found._replace(next_lease=next_lease(db, now))
        for hold in due:
            self.books.holds.setdefault(hold.id, hold)
        return sum(self.books.lapse(hold.id, recorded=_bill_is_known(db, hold.id)) for hold in due)

    def save(self, db: sqlite3.Connection, *, records: int = 0, sums: Sequence[tuple[Any, ...]] = ()) -> None:
        """Write down what has changed, as the last thing in a transaction; so many records are new, and add
        up to this."""
        changes, found = self.books.changes, self._found
        self._holding = self._holding or bool(changes.holds)
        save(db, changes, sums)
        holds = [hold for hold in changes.holds.values() if hold is not None and not hold.lapsed]
        first = min([found.next_lease, *[hold.lease_until for hold in holds]])
        left = State(found.version, found.ledger, found.first_hour, found.last + records, first)
        self._remembered.leave(db, left)
        changes.clear()
        if len(self.books.accounts) > _MOST_ACCOUNTS or len(self.books.holds) > _MOST_HOLDS:
            self._db = None

    def _refresh(self, db: sqlite3.Connection, state: State) -> None:
        """Forget what another connection may have changed; a failed transaction costs its connection."""
        before, self._found = self._found, state
        if db is not self._db or state.version != before.version:
            self._db, self._limits = db, None
            self._series = series_of(db)
            self._complete = False
            self._holding = bool(read_holds(db, 1))
            self.books = Books(_Loading(db))
        elif not self._complete:
            # A second transaction with nobody else between: whoever is alone had better know every hold.
            holds = read_holds(db, _MOST_HOLDS)
            self.books.holds.update({hold.id: hold for hold in holds})
            self._complete = len(holds) < _MOST_HOLDS

    def _wanted(self, ledger: str) -> Limits | None:
        """The limits in force; None where that cannot be told, and `unavailable` says why."""
        self.unavailable = None
        try:
            limits = self._file.now()
            check_ledger(self._file, limits, ledger)
        except BudgetUnavailable as error:
            self.unavailable = str(error)
            return None
        return limits

    def _count_later(self, db: sqlite3.Connection) -> None:
        """What is written meanwhile is in no account: it is counted with all the rest once that can be."""
        if self._series:
            count_again(db)
            self._series = set()
            self.books.accounts.clear()

    def _count_from_now(self, db: sqlite3.Connection, wanted: set[str]) -> None:
        """Begin to count under limits that are new, and stop under those that are gone."""
        forget_series(db, self._series - wanted)
        for key in [key for key in self.books.accounts if key.series not in wanted]:
            del self.books.accounts[key]
        new = [term for term in self.books.terms.all if term.series not in self._series]
        if new:
            self.books.holds.update({hold.id: hold for hold in read_holds(db)})
            extras = read_extras(db)
            for term in new:
                self.books.begin(term, charges_before(db, term), extras)
            add_series(db, [term.series for term in new])
        self._series = wanted


def _bill_is_known(db: sqlite3.Connection, id_: str) -> bool:
    query = "SELECT outcome FROM records JOIN labels ON labels.key = records.label WHERE records.id = ?"
    found = db.execute(query, (id_,)).fetchone()
    return found is not None and found[0] in BILL_KNOWN


def check_ledger(file: LimitsFile, limits: Limits, ledger: str) -> None:
    """Raises `BudgetUnavailable` where the limits were set over another ledger than this one."""
    if limits.entries and limits.ledger != ledger:
        raise BudgetUnavailable(
            f"{file.path}: these limits were set over another ledger, which was damaged, moved or deleted: "
            f"what is spent of them is not known; put that ledger back, or run `scrimp budget resume` to go "
            f"on with what this one says"
        )
