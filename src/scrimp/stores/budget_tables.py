"""The tables of budgets in a ledger's file, and their rows.

Everything here can be worked out from the records, `budget_holds` and `budget_extras`: `budget_accounts` are
sums of them, kept in the same transaction, for the series of limits that `budget_series` names. Sums of money
are text, because they may pass 64 bits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, cast

import msgspec

from scrimp.core.budget import Event, EventKind, Scope
from scrimp.core.budget_books import Account, Extra, Hold
from scrimp.core.budget_terms import Key

__all__ = [
    "add_series",
    "count_again",
    "due_holds",
    "events_of",
    "find_account",
    "find_holds",
    "forget_series",
    "identity_of",
    "m0004_budgets",
    "m0006_feared",
    "members_of",
    "next_lease",
    "read_extras",
    "read_holds",
    "series_of",
]

_TABLES = (
    "CREATE TABLE budget_identity (ledger TEXT NOT NULL)",
    "INSERT INTO budget_identity VALUES (lower(hex(randomblob(16))))",
    "CREATE TABLE budget_series (series TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE budget_accounts (
        series TEXT NOT NULL,
        start REAL NOT NULL,
        member TEXT NOT NULL,
        spent TEXT NOT NULL,
        held TEXT NOT NULL,
        unsettled TEXT NOT NULL,
        overrun TEXT NOT NULL,
        told INTEGER NOT NULL,
        PRIMARY KEY (series, start, member)
    ) WITHOUT ROWID""",
    """CREATE TABLE budget_holds (
        id TEXT PRIMARY KEY,
        amount INTEGER NOT NULL,
        at REAL NOT NULL,
        lease_until REAL NOT NULL,
        scopes TEXT NOT NULL,
        booked INTEGER NOT NULL,
        lapsed INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX budget_leases ON budget_holds (lease_until) WHERE NOT lapsed",
    """CREATE TABLE budget_extras (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        at REAL NOT NULL,
        scopes TEXT NOT NULL,
        amount TEXT NOT NULL
    )""",
    """CREATE TABLE budget_events (
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        at REAL NOT NULL,
        limit_id TEXT NOT NULL,
        scope TEXT NOT NULL,
        hold TEXT NOT NULL,
        amount TEXT NOT NULL,
        spent TEXT NOT NULL,
        held TEXT NOT NULL
    )""",
)

_HOLD = "id, amount, at, lease_until, scopes, booked, lapsed"

_scopes = msgspec.json.Decoder(tuple[Scope, ...])
_scope = msgspec.json.Decoder(Scope)
_encode = msgspec.json.encode


def m0004_budgets(db: sqlite3.Connection) -> None:
    """Money held and spent under limits, which are in a file of their own."""
    for statement in _TABLES:
        db.execute(statement)


def m0006_feared(db: sqlite3.Connection) -> None:
    """Which money beside the records is no bill."""
    db.execute("ALTER TABLE budget_extras ADD COLUMN feared INTEGER NOT NULL DEFAULT 0")


def identity_of(db: sqlite3.Connection) -> str:
    """What this ledger is called in a file of limits."""
    return cast(str, db.execute("SELECT ledger FROM budget_identity").fetchone()[0])


def series_of(db: sqlite3.Connection) -> set[str]:
    """The series that are counted."""
    return {series for (series,) in db.execute("SELECT series FROM budget_series")}


def add_series(db: sqlite3.Connection, series: Iterable[str]) -> None:
    """From now on these are counted."""
    db.executemany("INSERT INTO budget_series VALUES (?)", [(name,) for name in series])


def forget_series(db: sqlite3.Connection, series: Iterable[str]) -> None:
    """These are counted no more."""
    names = [(name,) for name in series]
    db.executemany("DELETE FROM budget_series WHERE series = ?", names)
    db.executemany("DELETE FROM budget_accounts WHERE series = ?", names)


def count_again(db: sqlite3.Connection) -> None:
    """Nothing is counted until what was spent is worked out anew; what was told and overran stays known."""
    db.execute("DELETE FROM budget_series")
    db.execute("UPDATE budget_accounts SET spent = '0', held = '0', unsettled = '0'")


def find_account(db: sqlite3.Connection, key: Key) -> Account:
    """An account, empty where nothing was booked in it."""
    row = db.execute(
        """SELECT spent, held, unsettled, overrun, told FROM budget_accounts
        WHERE series = ? AND start = ? AND member = ?""",
        (key.series, key.start, key.member),
    ).fetchone()
    return _account(row) if row else Account()


def members_of(db: sqlite3.Connection, series: str, start: float) -> dict[str, Account]:
    """Every account of one window."""
    rows = db.execute(
        """SELECT member, spent, held, unsettled, overrun, told FROM budget_accounts
        WHERE series = ? AND start = ?""",
        (series, start),
    )
    return {row[0]: _account(row[1:]) for row in rows}


def find_holds(db: sqlite3.Connection, ids: Sequence[str]) -> list[Hold]:
    """Those of these holds that there are."""
    listed = _encode(ids).decode()
    query = f"SELECT {_HOLD} FROM budget_holds WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 - as above
    return [_hold(row) for row in db.execute(query, (listed,))]


def due_holds(db: sqlite3.Connection, now: float) -> list[Hold]:
    """Holds whose lease has run out and who were not told yet."""
    query = f"SELECT {_HOLD} FROM budget_holds WHERE NOT lapsed AND lease_until <= ?"  # noqa: S608 - as above
    return [_hold(row) for row in db.execute(query, (now,))]


def next_lease(db: sqlite3.Connection, now: float) -> float:
    """When the first lease runs out of those that have not."""
    query = "SELECT min(lease_until) FROM budget_holds WHERE NOT lapsed AND lease_until > ?"
    [found] = db.execute(query, (now,)).fetchone()
    return inf if found is None else float(found)


def read_holds(db: sqlite3.Connection, most: int = -1) -> list[Hold]:
    """All holds, or the first `most`."""
    query = f"SELECT {_HOLD} FROM budget_holds LIMIT ?"  # noqa: S608 - as above
    return [_hold(row) for row in db.execute(query, (most,))]


def read_extras(db: sqlite3.Connection) -> list[Extra]:
    """All money that counts beside the records."""
    rows = db.execute("SELECT id, at, scopes, amount, feared FROM budget_extras")
    return [
        Extra(id_, at, _scopes.decode(scopes), int(amount), bool(feared))
        for id_, at, scopes, amount, feared in rows
    ]


def events_of(db: sqlite3.Connection, limit_id: str) -> list[Event]:
    """What happened to a limit, newest first."""
    rows = db.execute(
        """SELECT kind, at, limit_id, scope, hold, amount, spent, held FROM budget_events
        WHERE limit_id = ? ORDER BY seq DESC""",
        (limit_id,),
    )
    return [
        Event(cast(EventKind, kind), at, limit, _scope.decode(scope), hold, *map(int, amounts))
        for kind, at, limit, scope, hold, *amounts in rows
    ]


def _hold(row: Sequence[Any]) -> Hold:
    id_, amount, at, lease_until, scopes, booked, lapsed = row
    return Hold(id_, amount, at, lease_until, _scopes.decode(scopes), booked, bool(lapsed))


def _account(row: Sequence[Any]) -> Account:
    spent, held, unsettled, overrun, told = row
    return Account(int(spent), int(held), int(unsettled), int(overrun), told)
