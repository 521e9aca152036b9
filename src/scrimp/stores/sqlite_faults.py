"""What went wrong with a database, in one line a person can act on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from scrimp.errors import StoreError

__all__ = ["is_busy", "is_damage", "store_error"]

_PRIMARY = 0xFF  # SQLite's extended codes carry the general one in their lowest byte
_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only here; make it writable, or keep state elsewhere",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is a file and its folder can be written",
    sqlite3.SQLITE_PERM: "no permission",
    sqlite3.SQLITE_IOERR: "the disk failed, is full, or allows no larger file",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is not a database",
}
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection held the database for too long."""
    return _code(error) in _BUSY


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault, so that no waiting will help."""
    return _code(error) in _DAMAGE


def store_error(path: Path, error: sqlite3.Error | OSError, busy_seconds: float) -> StoreError:
    """The StoreError for a fault of SQLite or of the system."""
    if isinstance(error, OSError):
        return StoreError(f"{path}: {error.strerror or error}")
    if is_busy(error):
        return StoreError(f"{path}: another process has had it locked for {busy_seconds:g} seconds")
    return StoreError(f"{path}: {_REASONS.get(_code(error), 'SQLite failed')} ({error})")


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY
