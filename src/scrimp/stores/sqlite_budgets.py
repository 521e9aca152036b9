"""Budgets in a ledger's file: decided and written by its writer, many in one commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from scrimp.core.budget import Ask, Held, Limit, Refusal, Scope, Standing, Why
from scrimp.core.budget_terms import Term, Terms
from scrimp.errors import BudgetUnavailable, StoreError
from scrimp.stores.appending import Appender
from scrimp.stores.budget_history import dearest
from scrimp.stores.budget_limits import MOST, Entry, checked, put_entry
from scrimp.stores.budget_tables import due_holds, events_of, identity_of, members_of, read_holds, series_of
from scrimp.stores.budget_views import keepable_ask, standings_of, why
from scrimp.stores.ledger_items import Extended, Item, Released
from scrimp.stores.limits_file import Limits, LimitsFile
from scrimp.stores.promise import Promise, kept
from scrimp.stores.sqlite_books import SqliteBooks, check_ledger

__all__ = ["SqliteBudgets"]

T = TypeVar("T")


class SqliteBudgets:
    """`Budgets` of a `SqliteLedger`."""

    def __init__(self, store: Appender[Item], file: LimitsFile, books: SqliteBooks) -> None:
        self._store = store
        self._file = file
        self._books = books
        self._before: tuple[Terms, tuple[Scope, ...], bool] = Terms(), (), False
        """What was asked for last: by which terms, within which scopes, and whether anything limits those."""

    def reserve(self, ask: Ask) -> Promise[Held | Refusal]:
        """See `Budgets`."""
        try:
            terms = self._file.recent().terms
        except BudgetUnavailable as error:
            return kept(error)
        before, scopes, limited = self._before
        if terms is not before or ask.scopes is not scopes or not 0 <= ask.amount <= MOST:
            ask = keepable_ask(ask)
            limited = terms.limit(ask.scopes)
            self._before = terms, ask.scopes, limited
        if limited:
            return self._store.ask(ask)
        return kept(Held(ask.id, ask.amount))

    def release(self, hold: str) -> Promise[None]:
        """See `Budgets`."""
        return self._store.submit(Released(hold), awaited=False)

    def extend(self, hold: str, lease_until: float) -> Promise[None]:
        """See `Budgets`."""
        return self._store.submit(Extended(hold, lease_until), awaited=False)

    def limits(self) -> Sequence[Limit]:
        """See `Budgets`."""
        return [*self._file.recent().terms.limits]

    def put(self, limit: Limit) -> None:
        """See `Budgets`."""
        checked(limit)
        self._change(lambda entries: put_entry(entries, limit))

    def remove(self, limit_id: str) -> bool:
        """See `Budgets`."""
        found = any(entry.limit.id == limit_id for entry in self._file.now().entries)
        if found:
            self._change(lambda entries: tuple(entry for entry in entries if entry.limit.id != limit_id))
        return found

    def standings(self, now: float) -> Sequence[Standing]:
        """See `Budgets`."""
        return self._read(partial(_standings, now=now), now)

    def why(self, limit_id: str, now: float, member: Scope | None = None) -> Why | None:
        """See `Budgets`."""
        return self._read(partial(_why, limit_id=limit_id, member=member, now=now), now)

    def recover(self, now: float) -> int:
        """See `Budgets`."""

        def work(db: sqlite3.Connection) -> int:
            self._books.open(db)
            lapsed = self._books.recover(db, now)
            self._books.save(db)
            return lapsed

        return self._store.write(work) if self._store.read(partial(due_holds, now=now)) else 0

    def resume(self) -> bool:
        """See `Budgets`."""

        def work(db: sqlite3.Connection) -> bool:
            limits, identity = self._file.now(), identity_of(db)
            if not limits.entries or limits.ledger == identity:
                return False
            self._file.save(Limits(identity, limits.entries))
            self._books.open(db)
            self._books.save(db)
            return True

        return self._store.write(work)

    def _change(self, change: Callable[[Sequence[Entry]], tuple[Entry, ...]]) -> None:
        """Replace the limits while nobody else can write; what counts under them is worked out at once."""

        def work(db: sqlite3.Connection) -> None:
            limits = self._file.now()
            entries = change(limits.entries)
            if len(entries) >= len(limits.entries):
                check_ledger(self._file, limits, identity_of(db))
            ledger = limits.ledger if limits.entries else identity_of(db)
            self._file.save(Limits(ledger, entries))
            self._books.open(db)
            self._books.save(db)

        self._store.write(work)

    def _read(self, work: Callable[[sqlite3.Connection, Limits], T], now: float) -> T:
        """Look at the accounts of the limits in force, once everything in them is counted."""

        def look(db: sqlite3.Connection) -> tuple[T] | None:
            limits = self._file.now()
            check_ledger(self._file, limits, identity_of(db))
            counted = {term.series for term in limits.terms.all} == series_of(db)
            return (work(db, limits),) if counted else None

        self.recover(now)
        found = self._store.read(look)
        if found is None:
            self._store.write(self._bring_up_to_date)
            found = self._store.read(look)
        if found is None:
            raise StoreError("the limits change faster than they can be read: try again")
        return found[0]

    def _bring_up_to_date(self, db: sqlite3.Connection) -> None:
        self._books.open(db)
        self._books.save(db)


def _standings(db: sqlite3.Connection, limits: Limits, now: float) -> list[Standing]:
    return [found for term in limits.terms.all for found in _of_term(db, term, now)]


def _of_term(db: sqlite3.Connection, term: Term, now: float) -> list[Standing]:
    return standings_of(term, members_of(db, term.series, term.span(now).start), now)


def _why(
    db: sqlite3.Connection, limits: Limits, limit_id: str, member: Scope | None, now: float
) -> Why | None:
    term = next((term for term in limits.terms.all if term.limit.id == limit_id), None)
    if term is None:
        return None
    return why(
        term,
        standings=_of_term(db, term, now),
        holds=read_holds(db),
        events=events_of(db, limit_id),
        records=dearest(db, term, now, member),
        member=member,
        now=now,
    )
