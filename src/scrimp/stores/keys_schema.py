"""The tables of virtual keys: a row a key, and a token that changes with them."""

from __future__ import annotations

import sqlite3

from scrimp.stores.migrations import Schema

__all__ = ["INSERT", "KEYS", "REVOKE", "SELECT"]

INSERT = """INSERT INTO keys VALUES
    (:digest, :name, :user, :team, :task_type, :mode, :upstream, :created_at, :revoked_at)"""

SELECT = """SELECT digest, name, user, team, task_type, mode, upstream, created_at, revoked_at
    FROM keys ORDER BY rowid"""

REVOKE = """UPDATE keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL
    RETURNING digest, name, user, team, task_type, mode, upstream, created_at, revoked_at"""

_TABLES = (
    """CREATE TABLE keys (
        digest BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        user TEXT,
        team TEXT,
        task_type TEXT,
        mode TEXT,
        upstream TEXT,
        created_at REAL NOT NULL,
        revoked_at REAL
    )""",
    "CREATE UNIQUE INDEX names ON keys (name) WHERE revoked_at IS NULL",
    "CREATE TABLE generation (token BLOB NOT NULL)",
    "INSERT INTO generation VALUES (randomblob(16))",
)


def m0001_keys(db: sqlite3.Connection) -> None:
    """One row a key; one token."""
    for statement in _TABLES:
        db.execute(statement)


KEYS = Schema("file of keys", 0x7363726B, (m0001_keys,))
