"""Numbered changes to a database's tables, each made once, all of those missing in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scrimp.errors import StoreError

__all__ = ["Migration", "Schema", "check_owner", "migrate"]

Migration = Callable[[sqlite3.Connection], None]
"""Changes tables; named `m0001_what_it_does`, and never edited once released."""


class Schema(NamedTuple):
    """What one kind of database holds. `mark` is its application id: whose file this is.

    `opened` makes ready each connection that writes.
    """

    kind: str
    mark: int
    migrations: Sequence[Migration]
    opened: Callable[[sqlite3.Connection], None] = lambda _: None


def check_owner(db: sqlite3.Connection, schema: Schema) -> None:
    """Raises StoreError for another program's database and for one that a newer scrimp has written.

    Changes nothing, so that such a file stays as it is.
    """
    newer = sorted(_applied(db, schema) - {migration.__name__ for migration in schema.migrations})
    if newer:
        raise StoreError(f"this {schema.kind} was written by a newer scrimp ({newer[-1]}): upgrade scrimp")


def migrate(db: sqlite3.Connection, schema: Schema) -> None:
    """Bring the tables up to date; several processes may try at once. Raises StoreError as `check_owner`."""
    if len(_applied(db, schema)) == len(schema.migrations):
        return
    db.execute("BEGIN IMMEDIATE")
    check_owner(db, schema)
    applied = _applied(db, schema)
    if not applied:
        db.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at REAL NOT NULL)")
        db.execute(f"PRAGMA application_id = {schema.mark:d}")
    for migration in schema.migrations:
        if migration.__name__ not in applied:
            migration(db)
            db.execute("INSERT INTO migrations VALUES (?, ?)", (migration.__name__, time.time()))
    db.execute("COMMIT")


def _applied(db: sqlite3.Connection, schema: Schema) -> set[str]:
    [tables] = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    [mark] = db.execute("PRAGMA application_id").fetchone()  # made with the tables, so looked at after them
    if mark == schema.mark:
        return {name for (name,) in db.execute("SELECT name FROM migrations")}
    if mark or tables:
        raise StoreError(f"another program's database, not a {schema.kind} of scrimp")
    return set()
