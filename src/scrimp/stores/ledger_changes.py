"""What a batch changes beside its records, in few statements.

A statement hands the interpreter to other threads some seven times and has to win it back each time, from
an event loop that may be busy: that costs more than the rows. So each table gets its rows by one statement,
and what is to be done elsewhere is done by one view's trigger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.budget import Event
from scrimp.core.budget_books import Account, Changes, Extra, Hold
from scrimp.core.budget_terms import Key
from scrimp.stores.budget_views import MOST_EVENTS
from scrimp.stores.ledger_adding import SUMMED
from scrimp.stores.ledger_sums import ADD_TO_SUMS

__all__ = ["in_one_row", "open_changes", "save"]

Row = tuple[Any, ...]

_COLUMNS = (*SUMMED, "ended")
_WRITTEN = (
    "PRAGMA temp_store = MEMORY",
    f"CREATE TEMP VIEW written AS SELECT {', '.join(f'0 AS {name}' for name in _COLUMNS)}",
    f"""CREATE TEMP TRIGGER written_down INSTEAD OF INSERT ON written BEGIN
        {"; ".join(ADD_TO_SUMS)};
        DELETE FROM budget_holds WHERE id IN (SELECT value FROM json_each(NEW.ended));
    END""",  # noqa: S608 - our own words only, here and below
)
"""A view that lasts as long as its connection: what is put into it is done by its trigger, in one go."""

_NOTHING_SUMMED = (None,) * len(SUMMED)
_NOTHING_ENDED = ("[]",)

_AT_ONCE = 32


def _rows_of(columns: int, *fixed: str) -> list[str]:
    """Places for any number of rows, which end with what is the same in all."""
    row = f"({', '.join((*'?' * columns, *fixed))})"
    return [", ".join([row] * rows) for rows in range(_AT_ONCE + 1)]


def _puts(table: str, columns: int, *fixed: str) -> list[str]:
    """Statements that put any number of rows into a table."""
    return [f"INSERT OR REPLACE INTO {table} VALUES {rows}" for rows in _rows_of(columns, *fixed)]  # noqa: S608 - as above


_PUT_WRITTEN = [f"INSERT INTO written VALUES {row}" for row in _rows_of(len(_COLUMNS))]  # noqa: S608 - as above
_PUT_HOLDS = _puts("budget_holds", 7)
_PUT_OPEN_HOLDS = _puts("budget_holds", 5, "0", "0")
"""Of nearly all holds nothing is booked, and none has lapsed: what is not handed over takes no time."""
_PUT_ACCOUNTS = _puts("budget_accounts", 8)
_PUT_EXTRAS = _puts("budget_extras", 6)
_PUT_EVENTS = _puts("budget_events", 9)
_FORGET_EVENTS = "DELETE FROM budget_events WHERE seq <= (SELECT max(seq) FROM budget_events) - ?"

_encode = msgspec.json.encode


def open_changes(db: sqlite3.Connection) -> None:
    """Make ready a connection that writes."""
    for statement in _WRITTEN:
        db.execute(statement)


def save(db: sqlite3.Connection, changes: Changes, sums: Sequence[Row]) -> None:
    """Write down what is new of budgets, and add to the sums of records what new ones add up to."""
    scopes = _Texts()
    held, others, ended = _hold_rows(changes.holds, scopes)
    _put(db, _PUT_OPEN_HOLDS, held)
    _put(db, _PUT_HOLDS, others)
    _put(db, _PUT_ACCOUNTS, [_account_row(key, account) for key, account in changes.accounts.items()])
    if ended:
        first, *others = sums or (_NOTHING_SUMMED,)
        _put(db, _PUT_WRITTEN, [(*first, _text(ended)), *[one + _NOTHING_ENDED for one in others]])
    elif sums:
        _put(db, _PUT_WRITTEN, [one + _NOTHING_ENDED for one in sums])
    _put(db, _PUT_EXTRAS, [_extra_row(extra, scopes) for extra in changes.extras])
    if changes.events:
        _put(db, _PUT_EVENTS, [_event_row(event) for event in changes.events[-MOST_EVENTS:]])
        db.execute(_FORGET_EVENTS, (MOST_EVENTS,))


def _put(db: sqlite3.Connection, statements: Sequence[str], rows: Sequence[Row]) -> None:
    for first in range(0, len(rows), _AT_ONCE):
        part = rows[first : first + _AT_ONCE]
        db.execute(statements[len(part)], in_one_row(part))


def in_one_row(rows: Sequence[Row]) -> list[Any]:
    """The values of rows one after the other, which takes a fraction of what `chain` does."""
    values: list[Any] = []
    for row in rows:
        values += row
    return values


def _hold_rows(
    holds: Mapping[str, Hold | None], scopes: Mapping[Any, str]
) -> tuple[list[Row], list[Row], list[str]]:
    """The rows of holds that are as they were made, those of others, and the ids of those that have ended."""
    rows: list[Row] = []
    others: list[Row] = []
    ended: list[str] = []
    within, text = None, ""
    for id_, hold in holds.items():
        if hold is None:
            ended.append(id_)
            continue
        if hold.scopes is not within:  # those of a run are the same object, which need not be hashed
            within = hold.scopes
            text = scopes[within]
        row = hold.id, hold.amount, hold.at, hold.lease_until, text
        if hold.booked or hold.lapsed:
            others.append((*row, hold.booked, 1 if hold.lapsed else 0))
        else:
            rows.append(row)
    return rows, others, ended


def _account_row(key: Key, account: Account) -> Row:
    amounts = (account.spent, account.held, account.unsettled, account.overrun)
    return key.series, key.start, key.member, *map(str, amounts), account.told


def _extra_row(extra: Extra, scopes: Mapping[Any, str]) -> Row:
    return None, extra.id, extra.at, scopes[extra.scopes], str(extra.amount), extra.feared


def _event_row(event: Event) -> Row:
    amounts = (event.amount, event.spent, event.held)
    return None, event.kind, event.at, event.limit_id, _text(event.scope), event.hold, *map(str, amounts)


class _Texts(dict[Any, str]):
    """Texts of values, each made once: the holds of a batch are mostly within the same scopes."""

    def __missing__(self, value: Any) -> str:
        text = self[value] = _text(value)
        return text


def _text(value: Any) -> str:
    return _encode(value).decode()
