"""What a transaction of a ledger's writer has to know before it begins, found by one statement."""

from __future__ import annotations

import sqlite3
from math import inf
from typing import NamedTuple

__all__ = ["Remembered", "State", "look"]

_LOOK = """SELECT
    (SELECT data_version FROM pragma_data_version),
    (SELECT ledger FROM budget_identity),
    (SELECT before_hour FROM retention),
    (SELECT max(seq) FROM records),
    (SELECT lease_until FROM budget_holds WHERE NOT lapsed ORDER BY lease_until LIMIT 1)"""


class State(NamedTuple):
    """How a ledger's file is found.

    `version` is another one when another connection has written; `ledger` is what limits call the file.
    Records before `first_hour` are not kept, `last` is the number of the last one. `next_lease` is when the
    first lease runs out.
    """

    version: int
    ledger: str
    first_hour: int
    last: int
    next_lease: float


class Remembered:
    """The state that a writer left its file in, which is how it finds it, unless somebody wrote since.

    Another connection that did shows in `PRAGMA data_version`, anything else done by this one in the number
    of its changes; and a failed transaction costs its connection.
    """

    def __init__(self) -> None:
        self._db: sqlite3.Connection | None = None
        self._state: State | None = None
        self._changes = 0

    def look(self, db: sqlite3.Connection) -> State:
        """How the file is now; `next_lease` may be later, where the hold that was first was settled since."""
        state = self._state
        if state is not None and db is self._db and db.total_changes == self._changes:
            [version] = db.execute("PRAGMA data_version").fetchone()
            if version == state.version:
                return state
        return look(db)

    def leave(self, db: sqlite3.Connection, state: State) -> None:
        """A transaction is about to be committed, which leaves the file like this."""
        self._db, self._state, self._changes = db, state, db.total_changes


def look(db: sqlite3.Connection) -> State:
    """How the file is now."""
    version, ledger, first_hour, last, next_lease = db.execute(_LOOK).fetchone()
    return State(version, ledger, first_hour, last or 0, inf if next_lease is None else next_lease)
