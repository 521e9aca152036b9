"""Numbered changes to a database's tables, each made once, all of those missing in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scrimp.errors import StoreError

__all__ = ["Migration", "Schema", "migrate"]

Migration = Callable[[sqlite3.Connection], None]
"""Changes tables; named `m0001_what_it_does`, and never edited once released."""


class Schema(NamedTuple):
    """What one kind of database holds. `mark` is its application id: whose file this is."""

    kind: str
    mark: int
    migrations: Sequence[Migration]


def migrate(db: sqlite3.Connection, schema: Schema) -> None:
    """Bring the tables up to date; several processes may try at once.

    Raises StoreError for another program's database and for one that a newer scrimp has written.
    """
    wanted = {migration.__name__: migration for migration in schema.migrations}
    if _applied(db, schema) == wanted.keys():
        return
    db.execute("BEGIN IMMEDIATE")
    applied = _applied(db, schema)
    newer = sorted(applied - wanted.keys())
    if newer:
        raise StoreError(f"this {schema.kind} was written by a newer scrimp ({newer[-1]}): upgrade scrimp")
    if not applied:
        db.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at REAL NOT NULL)")
        db.execute(f"PRAGMA application_id = {schema.mark:d}")
    for name, migration in wanted.items():
        if name not in applied:
            migration(db)
            db.execute("INSERT INTO migrations VALUES (?, ?)", (name, time.time()))
    db.execute("COMMIT")


def _applied(db: sqlite3.Connection, schema: Schema) -> set[str]:
    [mark] = db.execute("PRAGMA application_id").fetchone()
    if mark == schema.mark:
        return {name for (name,) in db.execute("SELECT name FROM migrations")}
    [tables] = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mark or tables:
        raise StoreError(f"another program's database, not a {schema.kind} of scrimp")
    return set()
