"""Offloaded texts in one SQLite file, shared by threads and processes; a damaged one is set aside."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from scrimp.errors import StoreError
from scrimp.stores.appending import Appender, Warn
from scrimp.stores.database import BUSY_SECONDS
from scrimp.stores.migrations import Schema
from scrimp.stores.offload import Kept, Kind, Retention

__all__ = ["SqliteOffload"]

_LEVEL = 1
"""Of compression: texts of tools shrink to a quarter even so, quicker than the disk takes them."""

_AT_ONCE = 500
"""Keys of one question, and things let go with one commit."""

_TABLES = (
    """CREATE TABLE kept (
        key BLOB PRIMARY KEY,
        kind INTEGER NOT NULL,
        size INTEGER NOT NULL,
        needed_at REAL NOT NULL,
        data BLOB NOT NULL
    )""",
    "CREATE INDEX kept_by_age ON kept (kind, needed_at)",
    "CREATE TABLE total (size INTEGER NOT NULL)",
    "INSERT INTO total VALUES (0)",
    """CREATE TRIGGER kept_more AFTER INSERT ON kept BEGIN UPDATE total SET size = size + NEW.size; END""",
    """CREATE TRIGGER kept_less AFTER DELETE ON kept BEGIN UPDATE total SET size = size - OLD.size; END""",
)


class _Item(NamedTuple):
    """What one call writes: things to keep, and keys of those found again."""

    kept: Sequence[Kept]
    found: Sequence[bytes]
    now: float


class SqliteOffload:
    """A store in the file at `path`; `warn` is told, in one line, of a damaged file that was set aside."""

    def __init__(
        self,
        path: str | Path,
        retention: Retention | None = None,
        *,
        busy_seconds: float = BUSY_SECONDS,
        warn: Warn | None = None,
    ) -> None:
        self._path = Path(path)
        self._retention = retention or Retention()
        self._store: Appender[_Item] = Appender(
            self._path, _OFFLOAD, self._insert, busy_seconds=busy_seconds, warn=warn
        )

    def put(self, kept: Sequence[Kept], now: float) -> None:
        """See `OffloadStore`."""
        item = _Item(_packed(kept), (), now)
        self._refuse(item)
        self._store.append(item)

    def put_soon(self, kept: Sequence[Kept], now: float) -> None:
        """See `OffloadStore`."""
        item = _Item(_packed(kept), (), now)
        if _size(item) <= self._retention.most_bytes:
            self._store.submit(item, awaited=False)

    def get(self, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        """See `OffloadStore`."""
        if not keys or not self._path.exists():
            return {}
        found: dict[bytes, bytes] = {}
        again: list[bytes] = []
        for start in range(0, len(keys), _AT_ONCE):
            rows = self._store.read(partial(_select, keys=keys[start : start + _AT_ONCE]))
            for key, kind, at, data in rows:
                if at < self._retention.since(Kind(kind), now):
                    continue
                found[key] = zlib.decompress(data)
                if now - at >= self._retention.renewed_after:
                    again.append(key)
        if again:
            self._store.submit(_Item((), again, now), awaited=False)
        return found

    def close(self) -> None:
        """See `OffloadStore`."""
        self._store.close()

    def _refuse(self, item: _Item) -> None:
        if _size(item) > self._retention.most_bytes:
            raise StoreError(
                f"{self._path}: more than the {self._retention.most_bytes:,} bytes that are kept in all"
            )

    def _insert(self, db: sqlite3.Connection, items: Sequence[_Item]) -> None:
        for item in items:
            db.executemany(
                "INSERT INTO kept VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET needed_at = max(needed_at, excluded.needed_at)",
                [(one.key, int(one.kind), len(one.data), item.now, one.data) for one in item.kept],
            )
            db.executemany(
                "UPDATE kept SET needed_at = max(needed_at, ?) WHERE key = ?",
                [(item.now, key) for key in item.found],
            )
        if any(item.kept for item in items):
            self._let_go(db, max(item.now for item in items))

    def _let_go(self, db: sqlite3.Connection, now: float) -> None:
        """What is too old goes, some of it at a time; and what is too much, the oldest first."""
        for kind in Kind:
            db.execute(
                "DELETE FROM kept WHERE key IN"
                " (SELECT key FROM kept WHERE kind = ? AND needed_at < ? ORDER BY needed_at LIMIT ?)",
                (int(kind), self._retention.since(kind, now), _AT_ONCE),
            )
        for kind in Kind:
            [total] = db.execute("SELECT size FROM total").fetchone()
            surplus = total - self._retention.most_bytes
            if surplus <= 0:
                return
            rows = db.execute(
                "SELECT key, size FROM kept WHERE kind = ? ORDER BY needed_at, rowid", (int(kind),)
            )
            gone = []
            for key, size in rows:
                if surplus <= 0:
                    break
                gone.append((key,))
                surplus -= size
            db.executemany("DELETE FROM kept WHERE key = ?", gone)


def _packed(kept: Sequence[Kept]) -> list[Kept]:
    return [one._replace(data=zlib.compress(one.data, _LEVEL)) for one in kept]


def _size(item: _Item) -> int:
    return sum(len(one.data) for one in item.kept)


def _select(db: sqlite3.Connection, keys: Sequence[bytes]) -> list[tuple[bytes, int, float, bytes]]:
    marks = ", ".join("?" * len(keys))
    return db.execute(
        f"SELECT key, kind, needed_at, data FROM kept WHERE key IN ({marks})",  # noqa: S608 - question marks
        tuple(keys),
    ).fetchall()


def m0001_kept(db: sqlite3.Connection) -> None:
    """One row for each thing, and how much they are together."""
    for statement in _TABLES:
        db.execute(statement)


def _overwrite(db: sqlite3.Connection) -> None:
    """What is let go is gone from the file as well."""
    db.execute("PRAGMA secure_delete = ON")


_OFFLOAD = Schema("file of offloaded texts", 0x73637235, (m0001_kept,), _overwrite)
