"""The ledger on disk: one SQLite file that needs no service."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from scrimp.core.budget import Ask, Crossing, Settlement
from scrimp.core.record import Record
from scrimp.core.totals import Group, StaticSize, Total
from scrimp.errors import StoreError
from scrimp.stores.adding import HOUR, hour_of
from scrimp.stores.appending import Appender, Warn
from scrimp.stores.carrier import Carrier
from scrimp.stores.checking import in_unicode, keepable
from scrimp.stores.database import BUSY_SECONDS
from scrimp.stores.ledger import EVERYTHING, Query
from scrimp.stores.ledger_items import Item, Kept, answers_to, fault_of
from scrimp.stores.ledger_queries import PAGE, page, snapshot, static_sizes, totals
from scrimp.stores.ledger_rows import Labels, insert_records
from scrimp.stores.ledger_schema import LEDGER
from scrimp.stores.ledger_sums import NEVER
from scrimp.stores.limits_file import LimitsFile
from scrimp.stores.promise import Promise, kept
from scrimp.stores.retention import first_kept_hour, prune_before, prune_some
from scrimp.stores.sqlite_books import SqliteBooks
from scrimp.stores.sqlite_budgets import SqliteBudgets

__all__ = ["SqliteLedger"]


class _Items(Appender[Item]):
    """What a ledger is given, written by its own thread, or by the process that a carrier takes it to."""

    carrier: Carrier | None = None

    @property
    def waiting(self) -> int:
        """How many items wait to be written."""
        return super().waiting + (0 if self.carrier is None else self.carrier.waiting)

    def submit(self, item: Item, *, awaited: bool = True) -> Promise[Any]:
        """See `Appender`."""
        if self.carrier is None:
            return self._writer.submit(item, awaited=awaited)
        return self.carrier.submit(item, awaited=awaited, otherwise=self._here)

    def ask(self, item: Item) -> Promise[Any]:
        """See `Appender`; another process has to be told that somebody waits."""
        if self.carrier is None:
            return self._writer.submit(item, awaited=False)
        return self.carrier.submit(item, awaited=True, otherwise=self._here)

    def flush(self) -> None:
        """See `Appender`."""
        if self.carrier is not None:
            self.carrier.flush(self.patience)
        super().flush()

    def _here(self, item: Item, awaited: bool) -> Promise[Any]:  # noqa: FBT001 - see `Otherwise`
        return super().submit(item, awaited=awaited)

    def fault(self, item: Item | None, why: str) -> Exception:
        """See `fault_of`."""
        return fault_of(item, why)


class SqliteLedger:
    """A `Ledger` in the file at `path`, which several threads, processes and forks may share.

    Nothing is opened before the first use; folder and file are then made for their owner alone. A damaged
    file is set aside as `<name>.corrupt-<UTC time>`, a new one is begun, and `warn` is told in one line, in
    the thread that found it. What another process has locked for longer than `busy_seconds` fails with
    StoreError, as does everything the disk refuses; later records are tried afresh.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_seconds: float = BUSY_SECONDS,
        warn: Warn | None = None,
        carrier: Carrier | None = None,
    ) -> None:
        """A `carrier` takes what is to be written to the one process that writes it."""
        self._labels = Labels()
        limits = LimitsFile(Path(path))
        self._books = SqliteBooks(limits)
        self._store = _Items(Path(path), LEDGER, self._write, busy_seconds=busy_seconds, warn=warn)
        self._store.carrier = carrier
        self._budgets = SqliteBudgets(self._store, limits, self._books)

    @property
    def budgets(self) -> SqliteBudgets:
        """See `Ledger`."""
        return self._budgets

    @property
    def waiting(self) -> int:
        """How many records and holds wait to be written."""
        return self._store.waiting

    def record(self, record: Record, settlement: Settlement | None = None) -> tuple[Crossing, ...]:
        """See `Ledger`."""
        crossed: tuple[Crossing, ...] = self._store.append(Kept(keepable(record), settlement))
        return crossed

    def submit(self, record: Record, settlement: Settlement | None = None) -> Promise[tuple[Crossing, ...]]:
        """See `Ledger`."""
        try:
            return self._store.submit(Kept(keepable(record), settlement), awaited=False)
        except StoreError as error:
            return kept(error)

    def give(self, items: Sequence[Item]) -> Sequence[Any]:
        """Write what other processes ask to be written, here and now, as one commit; what comes of each item.

        Raises StoreError where nothing was written.
        """
        return self._store.write(partial(self._write, items=items))

    def records(self, query: Query = EVERYTHING) -> Iterator[Record]:
        """See `Ledger`; read page by page, so that no reader keeps a writer waiting."""
        query, left = in_unicode(query), query.limit
        cursor = self._store.read(snapshot)
        while left is None or left > 0:
            most = PAGE if left is None else min(PAGE, left)
            found, cursor = self._store.read(partial(page, query=query, cursor=cursor, most=most))
            yield from found
            if len(found) < most:
                return
            left = None if left is None else left - most

    def totals(self, group_by: Sequence[Group] = (), query: Query = EVERYTHING) -> list[Total]:
        """See `Ledger`; whole hours are read from their sums, however many records they have."""
        return self._store.read(partial(totals, group_by=group_by, query=in_unicode(query)))

    def static_sizes(self, query: Query = EVERYTHING) -> list[StaticSize]:
        """See `Ledger`."""
        return self._store.read(partial(static_sizes, query=in_unicode(query)))

    def prune(self, before: float, advance: Callable[[int], None] = lambda _: None) -> int:
        """See `Ledger`. The file keeps its size: what is free in it is used again."""
        self._store.flush()
        self._store.write(partial(prune_before, hour=hour_of(before)))
        deleted, began = 0, monotonic()
        while found := self._store.write(prune_some):
            deleted += found
            advance(found)
            sleep(monotonic() - began)  # as long as it took: who writes gets at least every other turn
            began = monotonic()
        return deleted

    def kept_since(self) -> float | None:
        """See `Ledger`."""
        hour = self._store.read(first_kept_hour)
        return None if hour == NEVER else float(hour * HOUR)

    def flush(self) -> None:
        """See `Ledger`."""
        self._store.flush()

    def close(self) -> None:
        """See `Ledger`; what was kept can still be read."""
        self._store.close()

    def _write(self, db: sqlite3.Connection, items: Sequence[Item]) -> Sequence[Any]:
        """One transaction: records, what they sum up to, and what becomes of the money held for them."""
        books = self._books
        state = books.open(db)
        records = [item.record for item in items if type(item) is Kept]
        if not books.concern(items):
            added = insert_records(db, records, self._labels, state)
            books.save(db, records=len(added.ids), sums=added.sums)
            return [()] * len(items)
        books.load(db, items)
        asked = [item.at for item in items if type(item) is Ask]
        if asked:
            books.recover(db, max(asked))
        added = insert_records(db, records, self._labels, state)
        new = set(added.ids)
        answers = answers_to(books.books, items, new, books.unavailable)
        books.save(db, records=len(added.ids), sums=added.sums)
        return answers
