"""What workspaces have learned, kept in SQLite from one process to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from scrimp.core.learned import FORMAT, Row, Snapshot, rows_of, snapshot_of
from scrimp.stores.appending import Appender, Warn
from scrimp.stores.database import BUSY_SECONDS
from scrimp.stores.migrations import Schema
from scrimp.stores.promise import Promise, kept

__all__ = ["LearnedStore"]

_KEPT_SECONDS = 90 * 86_400.0
_ROWS_KEPT = 4_000
"""Of one workspace: a label has some ten rows, and names that are new for every run must not add up."""

_TABLE = """CREATE TABLE learned (
    workspace TEXT NOT NULL,
    format INTEGER NOT NULL,
    part TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    saved_at REAL NOT NULL,
    PRIMARY KEY (workspace, format, part, key)
) WITHOUT ROWID"""


class _Save(NamedTuple):
    workspace: str
    rows: list[Row]
    at: float


class LearnedStore:
    """Snapshots in the file at `path`, by workspace; threads, processes and forks may share it.

    Each label (with its stage or place) and each model is a row of its own. When several processes save, the
    rows of all are kept, and of the same row the one saved last: it holds what that process had loaded and
    saw itself, not what others saw meanwhile. What was not saved again for 90 days is forgotten. `warn` is
    told in one line of a damaged file, which is set aside, and of rows that cannot be used.
    """

    def __init__(
        self, path: str | Path, *, busy_seconds: float = BUSY_SECONDS, warn: Warn | None = None
    ) -> None:
        self._path = Path(path)
        self._warn = warn
        self._store: Appender[_Save] = Appender(
            self._path, _LEARNED, _insert, busy_seconds=busy_seconds, warn=warn
        )

    def load(self, workspace: str = "default") -> Snapshot:
        """What `workspace` has learned; empty where nothing was kept. Raises `StoreError`."""
        if not self._path.exists():
            return Snapshot()
        found, newer = self._store.read(partial(_select, workspace=workspace))
        snapshot, refused = snapshot_of(found)
        if self._warn is not None and (refused or newer):
            why = "written by a newer scrimp" if not refused else "not understood"
            self._warn(f"{self._path}: {refused + newer} entries are ignored, because they were {why}")
        return snapshot

    def save(self, snapshot: Snapshot, *, now: float, workspace: str = "default") -> Promise[None]:
        """Keep everything in `snapshot` that was learned, soon; the promise carries the `StoreError`, if any.

        `now` is in epoch seconds. What the snapshot does not mention stays as it is.
        """
        rows = list(rows_of(snapshot))
        if rows:
            return self._store.submit(_Save(workspace, rows, now))
        return kept(None)

    def flush(self) -> None:
        """Wait until what was handed over is kept or has failed; raises `StoreError` on a stall."""
        self._store.flush()

    def close(self) -> None:
        """Write what was handed over, then close the file; what is saved later fails."""
        self._store.close()


def _select(db: sqlite3.Connection, workspace: str) -> tuple[list[Row], int]:
    """The rows of this format, and how many there are of newer ones."""
    found = db.execute(
        """SELECT part, key, CAST(value AS BLOB) FROM learned WHERE workspace = ? AND format = ?
        ORDER BY saved_at DESC LIMIT ?""",
        (workspace, FORMAT, _ROWS_KEPT),
    )
    rows = list(map(Row._make, found))
    newer = "SELECT count(*) FROM learned WHERE workspace = ? AND format > ?"
    [count] = db.execute(newer, (workspace, FORMAT)).fetchone()
    return rows, count


def _insert(db: sqlite3.Connection, saves: Sequence[_Save]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO learned VALUES (?, ?, ?, ?, ?, ?)",
        chain.from_iterable(((save.workspace, FORMAT, *row, save.at) for row in save.rows) for save in saves),
    )
    db.execute("DELETE FROM learned WHERE saved_at < ?", (max(s.at for s in saves) - _KEPT_SECONDS,))
    for workspace in {save.workspace for save in saves}:
        db.execute(
            """DELETE FROM learned WHERE workspace = :workspace AND format = :format AND saved_at < (
                SELECT saved_at FROM learned WHERE workspace = :workspace AND format = :format
                ORDER BY saved_at DESC LIMIT 1 OFFSET :most)""",
            {"workspace": workspace, "format": FORMAT, "most": _ROWS_KEPT - 1},
        )


def m0001_learned(db: sqlite3.Connection) -> None:
    """One row a workspace, format and thing learned."""
    db.execute(_TABLE)


_LEARNED = Schema("file of what was learned", 0x73637234, (m0001_learned,))
