"""The ledger: every billed attempt, once, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import date
from typing import Literal, Protocol, TypeAlias

import msgspec

from scrimp.core.record import Record

__all__ = ["EVERYTHING", "Group", "Key", "Ledger", "Query", "Total"]

Group = Literal[
    "hour", "day", "provider", "model", "mode", "outcome", "run", "run_ids", "user", "task_type", "agent"
]
"""What totals can be told apart by. Hours and days are UTC, of `started_at`."""

Key: TypeAlias = str | int | date | tuple[str, ...] | None
"""One value of a group: `hour` is the epoch second it begins, `day` a date, `run` and `run_ids` paths from
the outermost run inwards, the rest as the record says."""


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
    task_type: str | None = None
    agent: str | None = None
    model: str | None = None
    limit: int | None = None
    newest_first: bool = False


EVERYTHING = Query()


class Total(msgspec.Struct, frozen=True):
    """What the records of one group add up to, exactly; `key` has one value for each of `group_by`.

    Tokens are the top-level counts of the usages (`write_5m` and `write_1h` by lifetime; what compaction and
    advisors used is in the money alone). Money in picodollars: `estimated_cost` is the part of `cost` that is
    not measured, `compared_cost` the part whose records also have an `own_cost`.
    """

    key: tuple[Key, ...] = ()
    attempts: int = 0
    input_tokens: int = 0
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    output_tokens: int = 0
    cost: int = 0
    estimated_cost: int = 0
    own_cost: int = 0
    compared_cost: int = 0

    @property
    def saved(self) -> int:
        """Picodollars below the callers' own requests (an estimate), of the records that say both."""
        return self.own_cost - self.compared_cost


class Ledger(Protocol):
    """Keeps records for good, each once: a second record of the same `id` changes nothing.

    Every method may be called from any thread. A record that cannot be kept gives StoreError.
    """

    def record(self, record: Record) -> None:
        """Keep one record; returns when it is durable. Raises StoreError."""
        ...

    def submit(self, record: Record) -> Future[None]:
        """Keep one record soon; never blocks on the disk and never raises.

        The future is done when the record is durable, or carries the StoreError. It cannot be cancelled:
        `await asyncio.wrap_future(ledger.submit(record))` leaves the record to be written when the task is.
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

    def flush(self) -> None:
        """Return when everything submitted so far is durable or has failed. Raises StoreError on a stall."""
        ...

    def close(self) -> None:
        """Flush and let go of files and threads; what is submitted later fails. Closing twice is harmless."""
        ...
