"""Deleting old records while their sums stay: which hours, a few rows at a time, and what came before.

`retention` has the hour before which records are deleted; it only moves forward, and the tables refuse to
delete any other record. The digests of the ids stay, so that a record that comes again is not counted again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from typing import cast

from scrimp.core.record import Record
from scrimp.stores.adding import HOUR, hour_of

__all__ = ["first_kept_hour", "not_pruned", "prune_before", "prune_some"]

MOST = 500
"""Records deleted at a time: who writes waits for that many at most, some 10 ms."""

_DIGEST_BYTES = 16


def first_kept_hour(db: sqlite3.Connection) -> int:
    """The hour since the epoch from which on records are kept; `NEVER` where all are."""
    [hour] = db.execute("SELECT before_hour FROM retention").fetchone()
    return cast(int, hour)


def prune_before(db: sqlite3.Connection, hour: int) -> None:
    """From now on, records of hours before this one are not kept."""
    db.execute("UPDATE retention SET before_hour = ? WHERE before_hour < ?", (hour, hour))


def prune_some(db: sqlite3.Connection, most: int = MOST) -> int:
    """Delete up to so many of the records that are not kept, and return how many; 0 when all are gone."""
    first = first_kept_hour(db)
    rows = db.execute(
        "SELECT seq, id FROM records WHERE started_at < ? ORDER BY started_at LIMIT ?",
        (first * HOUR, most),
    ).fetchall()
    db.executemany("INSERT OR IGNORE INTO pruned VALUES (?)", [(_digest(id_),) for _, id_ in rows])
    db.executemany("DELETE FROM records WHERE seq = ?", [(seq,) for seq, _ in rows])
    return len(rows)


def not_pruned(db: sqlite3.Connection, records: Sequence[Record], first: int) -> Sequence[Record]:
    """Those of `records` that were not kept, counted and pruned before; `first` is the first kept hour."""
    if not records or hour_of(min([record.started_at for record in records])) >= first:
        return records
    return [record for record in records if not _was_pruned(db, record.id)]


def _was_pruned(db: sqlite3.Connection, id_: str) -> bool:
    return db.execute("SELECT 1 FROM pruned WHERE digest = ?", (_digest(id_),)).fetchone() is not None


def _digest(id_: str) -> bytes:
    return blake2b(id_.encode(), digest_size=_DIGEST_BYTES).digest()
