"""The ledger on disk: one SQLite file that needs no service."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from scrimp.core.record import Record
from scrimp.errors import StoreError
from scrimp.stores.appending import Appender, Warn
from scrimp.stores.checking import in_unicode, keepable
from scrimp.stores.database import BUSY_SECONDS
from scrimp.stores.ledger import EVERYTHING, Group, Query, Total
from scrimp.stores.ledger_queries import PAGE, page, snapshot, totals
from scrimp.stores.ledger_rows import Labels, insert_records
from scrimp.stores.ledger_schema import LEDGER, roll_up

__all__ = ["SqliteLedger"]


class SqliteLedger:
    """A `Ledger` in the file at `path`, which several threads, processes and forks may share.

    Nothing is opened before the first use; folder and file are then made for their owner alone. A damaged
    file is set aside as `<name>.corrupt-<UTC time>`, a new one is begun, and `warn` is told in one line, in
    the thread that found it. What another process has locked for longer than `busy_seconds` fails with
    StoreError, as does everything the disk refuses; later records are tried afresh.
    """

    def __init__(
        self, path: str | Path, *, busy_seconds: float = BUSY_SECONDS, warn: Warn | None = None
    ) -> None:
        self._labels = Labels()
        self._store: Appender[Record] = Appender(
            Path(path), LEDGER, self._insert, busy_seconds=busy_seconds, warn=warn
        )

    def record(self, record: Record) -> None:
        """See `Ledger`."""
        self._store.append(keepable(record))

    def submit(self, record: Record) -> Future[None]:
        """See `Ledger`."""
        try:
            kept = keepable(record)
        except StoreError as error:
            refused: Future[None] = Future()
            refused.set_exception(error)
            return refused
        return self._store.submit(kept)

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

    def flush(self) -> None:
        """See `Ledger`."""
        self._store.flush()

    def close(self) -> None:
        """See `Ledger`; what was kept can still be read."""
        self._store.close()

    def _insert(self, db: sqlite3.Connection, records: Sequence[Record]) -> None:
        [last] = db.execute("SELECT ifnull(max(seq), 0) FROM records").fetchone()
        insert_records(db, records, self._labels)
        roll_up(db, last)
