"""Reading a ledger's tables: records page by page, totals from the hourly sums.

Whole hours come from the sums; only the hours that a query cuts are added up from their records. Ten million
records are tens of thousands of sums.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from scrimp.core.record import Record
from scrimp.stores.adding import HOUR, check_groups, hour_of, ordered, time_of
from scrimp.stores.ledger import Group, Key, Query, Total
from scrimp.stores.ledger_rows import COLUMNS, paths, read_record
from scrimp.stores.ledger_schema import SUMS

__all__ = ["Cursor", "page", "snapshot", "totals"]

PAGE = 1000
"""Records read at a time: a reader never holds the database, or its own memory, for long."""

_FIRST, _LAST = -1e12, 1e12
"""Before and after every time a ledger keeps."""

_HIGH = 32
_TIMES = {"hour", "day"}


class Cursor(NamedTuple):
    """Where a reader is: after this time and number; `last` is the newest record when it began."""

    last: int
    started_at: float | None = None
    seq: int = 0


class _Where(NamedTuple):
    """Conditions on rows, and the values of their parameters."""

    terms: list[str]
    values: list[Any]

    def add(self, term: str, *values: Any) -> None:
        self.terms.append(term)
        self.values.extend(values)

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self.terms)}" if self.terms else ""


def snapshot(db: sqlite3.Connection) -> Cursor:
    """A reader at the beginning, who will see what is there now."""
    return Cursor(db.execute("SELECT ifnull(max(seq), 0) FROM records").fetchone()[0])


def page(
    db: sqlite3.Connection, query: Query, cursor: Cursor, most: int = PAGE
) -> tuple[list[Record], Cursor]:
    """The next records, and where the reader is then; fewer than `most` are the last."""
    where = _Where(["seq <= ?"], [cursor.last])
    _add_times(where, query)
    _add_labels(where, query)
    if cursor.started_at is not None:
        sign = "<" if query.newest_first else ">"
        where.add(f"(started_at, seq) {sign} (?, ?)", cursor.started_at, cursor.seq)
    order = "started_at DESC, seq DESC" if query.newest_first else "started_at, seq"
    # A run has few labels, and each label's records lie together; other queries read along the times.
    tables = "labels CROSS JOIN records" if query.run_id is not None else "records CROSS JOIN labels"
    rows = db.execute(
        f"SELECT seq, {COLUMNS} FROM {tables} ON key = label {where} ORDER BY {order} LIMIT ?",  # noqa: S608 - our own words only, a query's are parameters
        (*where.values, most),
    ).fetchall()
    if rows:
        cursor = cursor._replace(started_at=rows[-1][4], seq=rows[-1][0])
    return [read_record(row[1:]) for row in rows], cursor


def totals(db: sqlite3.Connection, group_by: Sequence[Group], query: Query) -> list[Total]:
    """Sums of the records asked for, exactly."""
    check_groups(group_by)
    parts = (part for piece in _pieces(query) for part in _sums(db, piece, group_by, query))
    return ordered(parts, grouped=bool(group_by))


def _pieces(query: Query) -> Iterator[tuple[str, _Where]]:
    """The tables that hold the time asked for, each with its conditions: whole hours, and what is cut."""
    since = _FIRST if query.since is None else min(max(query.since, _FIRST), _LAST)
    until = _LAST if query.until is None else min(max(query.until, _FIRST), _LAST)
    first, last = -hour_of(-since), hour_of(until)
    if first >= last:
        yield "numbers", _Where(["started_at >= ?", "started_at < ?"], [since, until])
        return
    yield "hours", _Where(["hour >= ?", "hour < ?"], [first, last])
    for begin, end in ((since, first * HOUR), (last * HOUR, until)):
        if begin < end:
            yield "numbers", _Where(["started_at >= ?", "started_at < ?"], [begin, end])


def _sums(
    db: sqlite3.Connection, piece: tuple[str, _Where], group_by: Sequence[Group], query: Query
) -> Iterator[tuple[tuple[Key, ...], Sequence[int]]]:
    table, where = piece
    _add_labels(where, query)
    names = [group for group in dict.fromkeys(group_by) if group not in _TIMES]
    columns = [*(["hour"] if _TIMES & set(group_by) else []), *names]
    sums = ", ".join(f"sum({name})" for name in SUMS)
    by = f"GROUP BY {', '.join(columns)}" if columns else ""
    wanted = ", ".join([*columns, sums])
    rows = db.execute(
        f"SELECT {wanted} FROM {table} JOIN labels ON key = label {where} {by}",  # noqa: S608 - as above
        where.values,
    )
    for row in rows:
        said = dict(zip(columns, row, strict=False))
        numbers = row[len(columns) :]
        if numbers[0]:  # a sum of nothing is NULL
            yield tuple(_key(group, said) for group in group_by), _whole(numbers)


def _key(group: Group, said: dict[str, Any]) -> Key:
    if group in ("hour", "day"):
        return time_of(group, said["hour"])
    return paths(said[group]) if group in ("run", "run_ids") else cast(Key, said[group])


def _whole(numbers: Sequence[int]) -> list[int]:
    """The numbers of a total: counts as they are, each amount put together from its two columns."""
    money = numbers[6:]
    amounts = [(high << _HIGH) + low for high, low in zip(money[::2], money[1::2], strict=True)]
    return [*numbers[:6], *amounts]


def _add_times(where: _Where, query: Query) -> None:
    if query.since is not None:
        where.add("started_at >= ?", query.since)
    if query.until is not None:
        where.add("started_at < ?", query.until)


def _add_labels(where: _Where, query: Query) -> None:
    if query.run_id is not None:
        where.add("key IN (SELECT label FROM label_runs WHERE run_id = ?)", query.run_id)
    if query.run:
        whole = msgspec.json.encode(query.run).decode()
        inside = f"{whole[:-1]},"
        where.add("(run = ? OR substr(run, 1, ?) = ?)", whole, len(inside), inside)
    for name in ("user", "task_type", "agent", "model"):
        asked = getattr(query, name)
        if asked is not None:
            where.add(f"{name} = ?", asked)
