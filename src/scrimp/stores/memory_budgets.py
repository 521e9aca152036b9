"""Budgets that last as long as their process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from heapq import nlargest

from scrimp.core.budget import (
    Ask,
    Crossing,
    Event,
    Held,
    Limit,
    Refusal,
    Scope,
    Settlement,
    Standing,
    Why,
    scopes_of,
)
from scrimp.core.budget_books import Account, Books, Extra
from scrimp.core.record import Record
from scrimp.stores.budget_limits import Entry, checked, put_entry, terms_of
from scrimp.stores.budget_views import (
    BILL_KNOWN,
    MOST_EVENTS,
    MOST_RECORDS,
    charge_of,
    keepable_ask,
    standings_of,
    why,
    within,
)
from scrimp.stores.promise import Promise, kept

__all__ = ["MemoryBudgets"]


class MemoryBudgets:
    """`Budgets` in memory; those of a `MemoryLedger` see its records."""

    def __init__(
        self, records: Mapping[str, Record] | None = None, lock: threading.Lock | None = None
    ) -> None:
        """`records` by id, which whoever adds to them does under `lock`."""
        self._records = {} if records is None else records
        self._lock = lock or threading.Lock()
        self._books = Books()
        self._entries: tuple[Entry, ...] = ()
        self._extras: list[Extra] = []
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._next_lease = float("inf")

    def reserve(self, ask: Ask) -> Promise[Held | Refusal]:
        """See `Budgets`; done at once."""
        with self._lock:
            ask = keepable_ask(ask)
            if not self._books.terms.limit(ask.scopes):
                return kept(Held(ask.id, ask.amount))
            self._recover(ask.at)
            found = self._books.reserve(ask)
            self._next_lease = min(self._next_lease, ask.lease_until)
            self._remember()
            return kept(found)

    def release(self, hold: str) -> Promise[None]:
        """See `Budgets`."""
        with self._lock:
            self._books.release(hold)
            self._remember()
        return kept(None)

    def extend(self, hold: str, lease_until: float) -> Promise[None]:
        """See `Budgets`."""
        with self._lock:
            self._books.extend(hold, lease_until)
            self._remember()
        return kept(None)

    def limits(self) -> Sequence[Limit]:
        """See `Budgets`."""
        return [*self._books.terms.limits]

    def put(self, limit: Limit) -> None:
        """See `Budgets`."""
        checked(limit)
        with self._lock:
            self._enforce(put_entry(self._entries, limit))

    def remove(self, limit_id: str) -> bool:
        """See `Budgets`."""
        with self._lock:
            left = tuple(entry for entry in self._entries if entry.limit.id != limit_id)
            found = len(left) < len(self._entries)
            self._enforce(left)
            return found

    def standings(self, now: float) -> Sequence[Standing]:
        """See `Budgets`."""
        with self._lock:
            self._recover(now)
            return self._standings(now)

    def why(self, limit_id: str, now: float, member: Scope | None = None) -> Why | None:
        """See `Budgets`."""
        with self._lock:
            self._recover(now)
            term = next((term for term in self._books.terms.all if term.limit.id == limit_id), None)
            if term is None:
                return None
            inside = [
                record
                for record in self._records.values()
                if within(term, scopes_of(record.tags), record.started_at, member=member, now=now)
            ]
            return why(
                term,
                standings=[found for found in self._standings(now) if found.limit.id == limit_id],
                holds=self._books.holds.values(),
                events=[event for event in reversed(self._events) if event.limit_id == limit_id],
                records=nlargest(MOST_RECORDS, inside, key=lambda record: record.cost),
                member=member,
                now=now,
            )

    def recover(self, now: float) -> int:
        """See `Budgets`."""
        with self._lock:
            return self._recover(now)

    def resume(self) -> bool:
        """See `Budgets`; limits in memory never outlive what they count."""
        return False

    def booked(self, record: Record, settlement: Settlement | None, *, new: bool) -> tuple[Crossing, ...]:
        """A ledger keeps this record, and has the lock: see `Ledger.submit`."""
        if settlement is None and not self._books.terms.all and not self._books.holds:
            return ()
        found = self._books.book(charge_of(record), settlement, new=new)
        self._remember()
        return found

    def _enforce(self, entries: tuple[Entry, ...]) -> None:
        """Put these limits into force, with what counts under those that are new."""
        known = {entry.series for entry in self._entries}
        books, self._entries = self._books, entries
        books.terms = terms_of(entries)
        kept = {term.series for term in books.terms.all}
        for key in [key for key in books.accounts if key.series not in kept]:
            del books.accounts[key]
        for term in books.terms.all:
            if term.series not in known:
                books.begin(term, map(charge_of, self._records.values()), self._extras)
        self._remember()

    def _standings(self, now: float) -> list[Standing]:
        accounts: dict[tuple[str, float], dict[str, Account]] = {}
        for key, account in self._books.accounts.items():
            accounts.setdefault((key.series, key.start), {})[key.member] = account
        return [
            found
            for term in self._books.terms.all
            for found in standings_of(term, accounts.get((term.series, term.span(now).start), {}), now)
        ]

    def _recover(self, now: float) -> int:
        if now < self._next_lease:
            return 0
        books = self._books
        lapsed = sum([books.lapse(id_, recorded=self._bill_is_known(id_)) for id_ in books.due(now)])
        waiting = [hold.lease_until for hold in books.holds.values() if not hold.lapsed]
        self._next_lease = min(waiting, default=float("inf"))
        self._remember()
        return lapsed

    def _bill_is_known(self, id_: str) -> bool:
        record = self._records.get(id_)
        return record is not None and record.outcome in BILL_KNOWN

    def _remember(self) -> None:
        """What is new and not in the books themselves."""
        changes = self._books.changes
        self._extras += changes.extras
        self._events += changes.events
        changes.clear()
