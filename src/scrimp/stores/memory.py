"""A ledger that lasts as long as its process: for tests, and for runs that keep nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from scrimp.core.budget import Crossing, Settlement
from scrimp.core.record import Record
from scrimp.core.totals import Group, StaticSize, Total
from scrimp.errors import StoreError
from scrimp.stores.adding import (
    HOUR,
    check_groups,
    hour_of,
    key_of,
    matches,
    ordered,
    size_of,
    sizes_of,
    total_of,
    touches,
)
from scrimp.stores.checking import in_unicode, keepable
from scrimp.stores.ledger import EVERYTHING, Query
from scrimp.stores.memory_budgets import MemoryBudgets
from scrimp.stores.promise import Promise, kept

__all__ = ["MemoryLedger"]

_NEVER = -(10**9)
"""The hour since the epoch before which nothing is pruned yet: before every time there is."""


class MemoryLedger:
    """A `Ledger` in memory. Durable as long as the process; nothing is ever dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._budgets = MemoryBudgets(self._records, self._lock)
        self._closed = False
        self._first_kept = _NEVER

    @property
    def budgets(self) -> MemoryBudgets:
        """See `Ledger`."""
        return self._budgets

    def record(self, record: Record, settlement: Settlement | None = None) -> tuple[Crossing, ...]:
        """See `Ledger`."""
        kept = keepable(record)
        with self._lock:
            if self._closed:
                raise StoreError("the ledger is closed: this record was not kept")
            new = kept.id not in self._records
            crossed = self._budgets.booked(kept, settlement, new=new)
            self._records.setdefault(kept.id, kept)
            return crossed

    def submit(self, record: Record, settlement: Settlement | None = None) -> Promise[tuple[Crossing, ...]]:
        """See `Ledger`; kept at once."""
        try:
            return kept(self.record(record, settlement))
        except StoreError as error:
            return kept(error)

    def records(self, query: Query = EVERYTHING) -> Iterator[Record]:
        """See `Ledger`."""
        query = in_unicode(query)
        first = self._first_kept
        found = [r for r in self._snapshot() if hour_of(r.started_at) >= first and matches(r, query)]
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
            if matches(record, query, self._counted_at(record))
        )
        return ordered(parts, grouped=bool(group_by))

    def static_sizes(self, query: Query = EVERYTHING) -> list[StaticSize]:
        """See `Ledger`."""
        query = in_unicode(query)
        found = (
            record for record in self._snapshot() if matches(record, replace(query, since=None, until=None))
        )
        sizes = (size for record in found if (size := size_of(record)) is not None)
        return sizes_of(size for size in sizes if touches(query, size[0]))

    def prune(self, before: float, advance: Callable[[int], None] = lambda _: None) -> int:
        """See `Ledger`; in memory they only cannot be listed any more."""
        hour = hour_of(before)
        gone = sum(self._first_kept <= hour_of(record.started_at) < hour for record in self._snapshot())
        self._first_kept = max(self._first_kept, hour)
        if gone:
            advance(gone)
        return gone

    def kept_since(self) -> float | None:
        """See `Ledger`."""
        return None if self._first_kept == _NEVER else float(self._first_kept * HOUR)

    def flush(self) -> None:
        """See `Ledger`; there is nothing to wait for."""

    def close(self) -> None:
        """See `Ledger`; what was kept can still be read."""
        with self._lock:
            self._closed = True

    def _counted_at(self, record: Record) -> float:
        """When a record counts: at its own time, or at the beginning of an hour that was pruned."""
        hour = hour_of(record.started_at)
        return record.started_at if hour >= self._first_kept else float(hour * HOUR)

    def _snapshot(self) -> list[Record]:
        with self._lock:
            return list(self._records.values())
