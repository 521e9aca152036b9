"""The ledger: every billed attempt, once, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from scrimp.core.budget import Crossing, Settlement
from scrimp.core.record import Record
from scrimp.core.totals import Group, Key, StaticSize, Total
from scrimp.stores.budgets import Budgets
from scrimp.stores.promise import Promise

__all__ = ["EVERYTHING", "Group", "Key", "Ledger", "Query", "StaticSize", "Total"]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which records; a field that is None (or empty) asks for nothing.

    `since` and `until` bound `started_at` in epoch seconds: from `since`, before `until`. `run_id` is one run
    with every run inside it; `run` is the beginning of a path of run names. `limit` bounds `records` only:
    totals always count every record.
    """

    since: float | None = None
    until: float | None = None
    run_id: str | None = None
    run: tuple[str, ...] = ()
    user: str | None = None
    team: str | None = None
    key: str | None = None
    task_type: str | None = None
    agent: str | None = None
    model: str | None = None
    limit: int | None = None
    newest_first: bool = False


EVERYTHING = Query()


class Ledger(Protocol):
    """Keeps records for good, each once: a second record of the same `id` changes nothing.

    Every method may be called from any thread. A record that cannot be kept gives StoreError.
    """

    @property
    def budgets(self) -> Budgets:
        """Its limits: what the records cost counts against them."""
        ...

    def record(self, record: Record, settlement: Settlement | None = None) -> tuple[Crossing, ...]:
        """Keep one record; returns when it is durable. As `submit`; raises StoreError."""
        ...

    def submit(self, record: Record, settlement: Settlement | None = None) -> Promise[tuple[Crossing, ...]]:
        """Keep one record soon, and settle the hold of its call with it, in one transaction.

        Never blocks on the disk and never raises. What counts as spent is the record's cost, or the
        settlement's amount where that is more. A record without a settlement leaves the hold of its call in
        force for what it does not say itself.

        The promise is kept when the record is durable, or carries the StoreError; its result is what alerts
        that set off. As long as nobody waits for it, the record shares the commit of what comes next, or is
        written some hundredths of a second later by itself. It cannot be cancelled: a task that is while it
        awaits `ledger.submit(record)` leaves the record to be written.
        """
        ...

    def records(self, query: Query = EVERYTHING) -> Iterator[Record]:
        """The records as they stand now, by `started_at`, then as they were written. Raises StoreError."""
        ...

    def totals(self, group_by: Sequence[Group] = (), query: Query = EVERYTHING) -> list[Total]:
        """Sums of the records, a total for each group that has any, in the order of their keys (None first).

        Without groups: the one total of all, of nothing too. Raises StoreError.
        """
        ...

    def static_sizes(self, query: Query = EVERYTHING) -> list[StaticSize]:
        """The sizes of tools and system that calls began with, by day, label, model and size.

        Of whole days: each that the time asked for touches. Raises StoreError.
        """
        ...

    def prune(self, before: float, advance: Callable[[int], None] = lambda _: None) -> int:
        """Delete the records of whole hours before a time (epoch seconds); returns how many.

        They stay in every total, and one that comes again, with its time, is not counted again. `advance(n)`
        is told of every `n` deleted. Raises StoreError.
        """
        ...

    def kept_since(self) -> float | None:
        """When the oldest hour begins whose records can be listed; None where nothing was ever pruned.

        Before that, `records` finds nothing, and totals count an hour wholly where its beginning is asked
        for. Raises StoreError.
        """
        ...

    def flush(self) -> None:
        """Return when everything submitted so far is durable or has failed. Raises StoreError on a stall."""
        ...

    def close(self) -> None:
        """Flush and let go of files and threads; what is submitted later fails. Closing twice is harmless."""
        ...
