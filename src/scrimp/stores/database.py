"""One SQLite file as stores use it: durable, shared with other threads and processes, mended when damaged.

Two connections, one that writes and one that reads, each used by one thread at a time. WAL lets readers and
the writer go on side by side; `synchronous=FULL` makes a commit survive a power cut.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from scrimp.errors import StoreError
from scrimp.stores.migrations import Schema, check_owner, migrate
from scrimp.stores.set_aside import Identity, identity, set_aside
from scrimp.stores.sqlite_faults import is_busy, is_damage, store_error

__all__ = ["BUSY_SECONDS", "Database"]

R = TypeVar("R")

BUSY_SECONDS = 5.0
"""How long to wait for another process that writes to the same file."""

_CHECK_SECONDS = 0.2
"""How long an opened file is searched for damage; what lies deeper shows when it is read."""

_CHECK_STEPS = 1000
_CHECKPOINT_PAGES = 4000
"""Pages of 4 KiB in the log before it is folded into the file: pages written often are then written once."""

_LEAST_BYTES = 512
_RETRY_SECONDS = 0.01
_OWNER_ONLY_FOLDER, _OWNER_ONLY_FILE = 0o700, 0o600
_CLOSE_SECONDS = 1.0


class _Slot:
    """A place for one connection, and the lock of the thread that uses it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self.file: Identity | None = None

    def drop(self) -> None:
        """Close the connection, if there is one; what it had not committed is undone."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


class Database:
    """A file of one schema, opened when first used. Nothing is created before that.

    A damaged file is set aside and a new one begun; `news` then has a line about it.
    """

    def __init__(self, path: Path, schema: Schema, *, busy_seconds: float) -> None:
        self.path = path
        self._schema = schema
        self._busy_seconds = busy_seconds
        self._news: deque[str] = deque()
        self._writer, self._reader = _Slot(), _Slot()
        self._sound: Identity | None = None
        weakref.finalize(self, _close, self._writer, self._reader)

    def write(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Do `work` in one transaction, durable on return; raises StoreError."""
        return self._use(self._writer, work)

    def read(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Do `work`, which only reads, on one state of the database; raises StoreError."""
        return self._use(self._reader, work)

    def news(self) -> Iterator[str]:
        """What a user should know though the store goes on, each line once."""
        while self._news:
            yield self._news.popleft()

    def close(self) -> None:
        """Close both connections; a later use opens them again."""
        _close(self._writer, self._reader)

    def pause(self) -> None:
        """Close both connections and let nobody open them until resumed."""
        for slot in (self._writer, self._reader):
            slot.lock.acquire()
            slot.drop()

    def resume(self) -> None:
        """Go on after `pause`; parent and child of a fork alike."""
        for slot in (self._writer, self._reader):
            slot.lock.release()

    def _use(self, slot: _Slot, work: Callable[[sqlite3.Connection], R]) -> R:
        try:
            with slot.lock:
                return self._mended(slot, work)
        except (sqlite3.Error, OSError) as error:
            raise store_error(self.path, error, self._busy_seconds) from None
        except StoreError as error:
            raise StoreError(f"{self.path}: {error}") from None

    def _mended(self, slot: _Slot, work: Callable[[sqlite3.Connection], R]) -> R:
        """Do `work`; on a damaged file once more, on a new one."""
        try:
            return self._done(slot, work)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        aside = set_aside(self.path, slot.file)
        if aside is not None:
            self._news.append(f"{self.path} was damaged: it is kept as {aside.name}, and a new one was begun")
        return self._done(slot, work)

    def _done(self, slot: _Slot, work: Callable[[sqlite3.Connection], R]) -> R:
        if slot.connection is not None and identity(self.path) != slot.file:
            slot.drop()  # the file was moved or deleted: what is written there would be lost
        finished = False
        try:
            connection = slot.connection or self._open(slot)
            connection.execute("BEGIN IMMEDIATE" if slot is self._writer else "BEGIN")
            result = work(connection)
            connection.commit()
            finished = True
        finally:
            if not finished:
                slot.drop()
        return result

    def _open(self, slot: _Slot) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=_OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        _create(self.path)
        slot.file = identity(self.path)
        if is_cut_short(self.path):
            raise _damage("file is too short")
        slot.connection = connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,  # the slot's lock sees to it
        )
        check_owner(connection, self._schema)
        self._switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES:d}")
        if slot is self._writer and slot.file != self._sound:
            _check(connection)
            self._sound = slot.file
        migrate(connection, self._schema)
        if slot is self._writer:
            self._schema.opened(connection)
        return connection

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Two processes that open a new file at once: SQLite refuses one of them without waiting."""
        give_up = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > give_up:
                    raise
            else:
                return
            time.sleep(_RETRY_SECONDS)


def _create(path: Path) -> None:
    """Create the file for its owner alone, where there is none.

    A file that exists must not be opened here: closing it again would take this process's SQLite locks.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY_FILE))


def _check(connection: sqlite3.Connection) -> None:
    """Search for damage for a moment; raises sqlite3.DatabaseError as SQLite itself would."""
    stop = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > stop, _CHECK_STEPS)
    try:
        [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        found = "ok"
    finally:
        connection.set_progress_handler(None, 0)
    if found != "ok":
        raise _damage(found)


def is_cut_short(path: Path) -> bool:
    """Whether less is left than any database has: SQLite would take it for new, and delete its log.

    The log is looked at first: another process that is just beginning the file writes its first page before
    it logs anything, so that an empty file seen after a log has lost what it had.
    """
    log = path.with_name(f"{path.name}-wal")
    logged = log.exists() and log.stat().st_size > 0
    size = path.stat().st_size
    return 0 < size < _LEAST_BYTES or (size == 0 and logged)


def _damage(found: str) -> sqlite3.DatabaseError:
    fault = sqlite3.DatabaseError(found)
    fault.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return fault


def _close(*slots: _Slot) -> None:
    for slot in slots:
        if slot.lock.acquire(timeout=_CLOSE_SECONDS):
            slot.drop()
            slot.lock.release()
