"""A ledger that lasts as long as its process: for tests, and for runs that keep nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from scrimp.core.record import Record
from scrimp.errors import StoreError
from scrimp.stores.adding import check_groups, key_of, matches, ordered, total_of
from scrimp.stores.checking import in_unicode, keepable
from scrimp.stores.ledger import EVERYTHING, Group, Query, Total

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """A `Ledger` in memory. Durable as long as the process; nothing is ever dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._closed = False

    def record(self, record: Record) -> None:
        """See `Ledger`."""
        kept = keepable(record)
        with self._lock:
            if self._closed:
                raise StoreError("the ledger is closed: this record was not kept")
            self._records.setdefault(kept.id, kept)

    def submit(self, record: Record) -> Future[None]:
        """See `Ledger`; the future is done at once."""
        future: Future[None] = Future()
        try:
            self.record(record)
        except StoreError as error:
            future.set_exception(error)
        else:
            future.set_result(None)
        return future

    def records(self, query: Query = EVERYTHING) -> Iterator[Record]:
        """See `Ledger`."""
        query = in_unicode(query)
        found = [record for record in self._snapshot() if matches(record, query)]
        # Sorting is stable, reversed too: records of the same moment are taken as written, or the last first.
        found.sort(key=lambda record: record.started_at)
        if query.newest_first:
            found.reverse()
        return iter(found if query.limit is None else found[: query.limit])

    def totals(self, group_by: Sequence[Group] = (), query: Query = EVERYTHING) -> list[Total]:
        """See `Ledger`."""
        check_groups(group_by)
        query = in_unicode(query)
        parts = (
            (tuple(key_of(group, record) for group in group_by), total_of(record))
            for record in self._snapshot()
            if matches(record, query)
        )
        return ordered(parts, grouped=bool(group_by))

    def flush(self) -> None:
        """See `Ledger`; there is nothing to wait for."""

    def close(self) -> None:
        """See `Ledger`; what was kept can still be read."""
        with self._lock:
            self._closed = True

    def _snapshot(self) -> list[Record]:
        with self._lock:
            return list(self._records.values())
