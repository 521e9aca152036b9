"""What a transaction of a ledger's writer has to know before it begins, found by one statement."""

from __future__ import annotations

import sqlite3
from math import inf
from typing import NamedTuple

__all__ = ["State", "look"]

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


def look(db: sqlite3.Connection) -> State:
    """How the file is now."""
    version, ledger, first_hour, last, next_lease = db.execute(_LOOK).fetchone()
    return State(version, ledger, first_hour, last or 0, inf if next_lease is None else next_lease)
