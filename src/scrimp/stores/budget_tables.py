"""The tables of budgets in a ledger's file, and their rows.

Everything here can be worked out from the records, `budget_holds` and `budget_extras`: `budget_accounts` are
sums of them, kept in the same transaction, for the series of limits that `budget_series` names. Sums of money
are text, because they may pass 64 bits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, cast

import msgspec

from scrimp.core.budget import Event, EventKind, Scope
from scrimp.core.budget_books import Account, Changes, Extra, Hold
from scrimp.core.budget_terms import Key
from scrimp.stores.budget_views import MOST_EVENTS

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
    "read_extras",
    "read_holds",
    "save",
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
_AT_ONCE = (32, 16, 8, 4, 2, 1)
_PUT_HOLDS = {
    count: f"INSERT OR REPLACE INTO budget_holds ({_HOLD}) VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?)'] * count)}"  # noqa: S608, E501 - our own words only
    for count in _AT_ONCE
}
"""Statements of several rows, as for records: each hands the interpreter to other threads."""

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


def save(db: sqlite3.Connection, changes: Changes) -> None:
    """Write down what is new."""
    if changes.holds:
        _save_holds(db, changes.holds)
    db.executemany(
        "INSERT OR REPLACE INTO budget_accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [_account_row(key, account) for key, account in changes.accounts.items()],
    )
    if changes.extras:
        rows = [(e.id, e.at, _text(e.scopes), str(e.amount), e.feared) for e in changes.extras]
        db.executemany("INSERT INTO budget_extras VALUES (NULL, ?, ?, ?, ?, ?)", rows)
    if changes.events:
        _save_events(db, changes.events[-MOST_EVENTS:])


def _save_holds(db: sqlite3.Connection, holds: Mapping[str, Hold | None]) -> None:
    gone = [id_ for id_, hold in holds.items() if hold is None]
    if gone:
        listed = _encode(gone).decode()
        db.execute("DELETE FROM budget_holds WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    rows = [_hold_row(hold) for hold in holds.values() if hold is not None]
    done = 0
    for count in _AT_ONCE:
        while len(rows) - done >= count:
            db.execute(_PUT_HOLDS[count], [*chain.from_iterable(rows[done : done + count])])
            done += count


def _save_events(db: sqlite3.Connection, events: Sequence[Event]) -> None:
    rows = [
        (e.kind, e.at, e.limit_id, _text(e.scope), e.hold, str(e.amount), str(e.spent), str(e.held))
        for e in events
    ]
    db.executemany("INSERT INTO budget_events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.execute(
        "DELETE FROM budget_events WHERE seq <= (SELECT max(seq) FROM budget_events) - ?", (MOST_EVENTS,)
    )


def _text(value: Any) -> str:
    return _encode(value).decode()


def _hold_row(hold: Hold) -> tuple[Any, ...]:
    scopes = _text(hold.scopes)
    return hold.id, hold.amount, hold.at, hold.lease_until, scopes, hold.booked, hold.lapsed


def _hold(row: Sequence[Any]) -> Hold:
    id_, amount, at, lease_until, scopes, booked, lapsed = row
    return Hold(id_, amount, at, lease_until, _scopes.decode(scopes), booked, bool(lapsed))


def _account_row(key: Key, account: Account) -> tuple[Any, ...]:
    amounts = (account.spent, account.held, account.unsettled, account.overrun)
    return key.series, key.start, key.member, *map(str, amounts), account.told


def _account(row: Sequence[Any]) -> Account:
    spent, held, unsettled, overrun, told = row
    return Account(int(spent), int(held), int(unsettled), int(overrun), told)
