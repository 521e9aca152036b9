"""Items appended to one database by one writer thread, and read back by anyone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from scrimp.errors import StoreError
from scrimp.stores.database import BUSY_SECONDS, Database
from scrimp.stores.forking import survive_forks
from scrimp.stores.migrations import Schema
from scrimp.stores.promise import Promise
from scrimp.stores.writer import Answers, Writer, wait

__all__ = ["Appender", "Warn"]

T = TypeVar("T")
R = TypeVar("R")

Warn = Callable[[str], object]
"""Told, in one line, what a user should know though the store goes on."""

_PATIENCE = 3
"""Busy times to wait for one's own item: a batch under way, one's own, and the disk."""


class Appender(Generic[T]):
    """A database and its writer. `insert` puts a batch into the tables, inside a transaction, and may answer
    each item.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        insert: Callable[[sqlite3.Connection, Sequence[T]], Answers],
        *,
        busy_seconds: float = BUSY_SECONDS,
        warn: Warn | None = None,
    ) -> None:
        self.patience = _PATIENCE * busy_seconds
        self._name = str(path)
        self._insert = insert
        self._warn = warn
        self._database = Database(path, schema, busy_seconds=busy_seconds)
        self._writer: Writer[T] = Writer(self._write, name=self._name, after=self._tell, fault=self.fault)
        survive_forks(self)

    def fault(self, item: T | None, why: str) -> Exception:  # noqa: ARG002 - who knows the items may say more
        """The error for an item that was not written."""
        return StoreError(why)

    @property
    def waiting(self) -> int:
        """How many items wait to be written."""
        return self._writer.waiting

    def submit(self, item: T, *, awaited: bool = True) -> Promise[Any]:
        """Append one item; the promise has its answer when it is durable, or carries the StoreError.

        What is not `awaited` may take some hundredths of a second more, to share a commit, until somebody
        does wait for it.
        """
        return self._writer.submit(item, awaited=awaited)

    def ask(self, item: T) -> Promise[Any]:
        """Append one item for somebody who is about to wait for its answer, by which it begins."""
        return self.submit(item, awaited=False)

    def append(self, item: T) -> Any:
        """Append one item and wait until it is durable; its answer. Raises StoreError."""
        return wait(self.submit(item), self.patience, self._name)

    def write(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Do `work` in a transaction of its own, between the batches; raises StoreError."""
        result = self._database.write(work)
        self._tell()
        return result

    def read(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Do `work`, which only reads, on one state of the database; raises StoreError."""
        result = self._database.read(work)
        self._tell()
        return result

    def flush(self) -> None:
        """Wait until everything submitted is durable or has failed; raises StoreError on a stall."""
        self._writer.flush(self.patience)

    def close(self) -> None:
        """Write what was submitted, then close the files; what is submitted later fails."""
        try:
            if not self._writer.closed:
                self.flush()
        finally:
            self._writer.close()
            self._database.close()

    def pause(self) -> None:
        """See `forking.Forkable`."""
        self._writer.pause()
        self._database.pause()

    def resume(self) -> None:
        """See `forking.Forkable`."""
        self._database.resume()
        self._writer.resume()

    def restart(self) -> None:
        """See `forking.Forkable`."""
        self._database.resume()
        self._writer.restart()

    def _write(self, items: Sequence[T]) -> Answers:
        return self._database.write(lambda db: self._insert(db, items))

    def _tell(self) -> None:
        """Pass on what is new, where somebody listens."""
        for line in self._database.news():
            if self._warn is not None:
                self._warn(line)
