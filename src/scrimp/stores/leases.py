"""Who is warming which prefix, and which are warm: one table that the processes of a machine share.

A lease lets one of many do what all of them were about to do. It ends by itself, so that a process that died
with one holds nobody up for longer than that.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import msgspec

from scrimp.home import scrimp_home
from scrimp.stores.database import BUSY_SECONDS, Database
from scrimp.stores.forking import survive_forks
from scrimp.stores.migrations import Schema

__all__ = ["LEASES_FILE", "Claim", "Leases", "home_leases"]

LEASES_FILE = "leases.sqlite"
LEASE_SECONDS = 60.0
"""Longer than warming takes: else a second one would begin before the first is done."""

_TABLE = """CREATE TABLE leases (
    key BLOB PRIMARY KEY,
    holder TEXT,
    held_until REAL NOT NULL,
    warm_until REAL NOT NULL
) WITHOUT ROWID"""

_FREE = 0.0
_FORGOTTEN_AFTER = 86_400.0


class Claim(msgspec.Struct, frozen=True):
    """What came of asking for a lease: it was `taken`, or the prefix is warm, or someone else has the lease.

    Times in epoch seconds; `warm_until` is 0 where the prefix is not known to be warm.
    """

    taken: bool
    held_until: float = _FREE
    warm_until: float = _FREE


class Leases:
    """Leases in the file at `path`; threads and processes may share it. Every method raises `StoreError`.

    `lease_seconds` is how long one who died with a lease keeps the others waiting.
    """

    def __init__(
        self, path: str | Path, *, lease_seconds: float = LEASE_SECONDS, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self._lease_seconds = lease_seconds
        self._database = Database(Path(path), _LEASES, busy_seconds=busy_seconds)
        survive_forks(self)

    def claim(self, key: bytes, holder: str, *, now: float, warm_beyond: float) -> Claim:
        """Take the lease of `key`, unless it is held, or its prefix is warm beyond a time."""
        until = now + self._lease_seconds

        def look(db: sqlite3.Connection) -> Claim:
            found = db.execute("SELECT holder, held_until, warm_until FROM leases WHERE key = ?", (key,))
            other, held_until, warm_until = found.fetchone() or (None, _FREE, _FREE)
            if warm_until > warm_beyond:
                return Claim(taken=False, warm_until=warm_until)
            if other not in (None, holder) and held_until > now:
                return Claim(taken=False, held_until=held_until, warm_until=warm_until)
            return Claim(taken=True, held_until=until, warm_until=warm_until)

        def take(db: sqlite3.Connection) -> Claim:
            seen = look(db)
            if not seen.taken:
                return seen
            stale = now - _FORGOTTEN_AFTER
            db.execute("DELETE FROM leases WHERE warm_until < ? AND held_until < ?", (stale, stale))
            db.execute(
                """INSERT INTO leases VALUES (:key, :holder, :until, :warm_until) ON CONFLICT (key)
                DO UPDATE SET holder = :holder, held_until = :until""",
                {"key": key, "holder": holder, "until": until, "warm_until": seen.warm_until},
            )
            return seen

        seen = self._database.read(look)  # those who wait ask often, and reading costs no write to the disk
        return self._database.write(take) if seen.taken else seen

    def release(self, key: bytes, holder: str) -> None:
        """Give a lease back; one that has passed to another stays there."""
        self._database.write(lambda db: _release(db, key, holder))

    def warmed(self, key: bytes, holder: str, until: float) -> None:
        """The prefix of `key` is warm until then, and the lease is given back."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                """INSERT INTO leases VALUES (:key, NULL, 0, :until) ON CONFLICT (key)
                DO UPDATE SET warm_until = max(warm_until, :until)""",
                {"key": key, "until": until},
            )
            _release(db, key, holder)

        self._database.write(work)

    def close(self) -> None:
        """Close the file; a later use opens it again."""
        self._database.close()

    def pause(self) -> None:
        """See `forking.Forkable`."""
        self._database.pause()

    def resume(self) -> None:
        """See `forking.Forkable`."""
        self._database.resume()

    def restart(self) -> None:
        """See `forking.Forkable`."""
        self._database.resume()


def home_leases() -> Leases:
    """The leases of scrimp's home folder, opened once per process; raises `StoreError` or `InputError`."""
    path = scrimp_home(create=True) / LEASES_FILE
    with _lock:
        found = _opened.get((path, os.getpid()))
        if found is None:
            found = _opened[path, os.getpid()] = Leases(path)
        return found


_opened: dict[tuple[Path, int], Leases] = {}
_lock = threading.Lock()


def _release(db: sqlite3.Connection, key: bytes, holder: str) -> None:
    db.execute("UPDATE leases SET holder = NULL, held_until = 0 WHERE key = ? AND holder = ?", (key, holder))


def m0001_leases(db: sqlite3.Connection) -> None:
    """One row a prefix."""
    db.execute(_TABLE)


_LEASES = Schema("table of leases", 0x73637233, (m0001_leases,))
