"""Reading a ledger's tables: records page by page, totals from the sums.

Whole days and hours come from their sums; only the hours that a query cuts are added up from their records.
Ten million records are tens of thousands of sums.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from scrimp.core.record import Record, Tags
from scrimp.core.totals import Group, Key, StaticSize, Total
from scrimp.stores.adding import HOUR, check_groups, hour_of, ordered, sizes_of, time_of
from scrimp.stores.ledger import Query
from scrimp.stores.ledger_rows import COLUMNS, paths, read_record
from scrimp.stores.ledger_sums import SUMS
from scrimp.stores.retention import first_kept_hour

__all__ = ["Cursor", "page", "snapshot", "static_sizes", "totals"]

PAGE = 1000
"""Records read at a time: a reader never holds the database, or its own memory, for long."""

_FIRST, _LAST = -1e12, 1e12
"""Before and after every time a ledger keeps."""

_HIGH = 32
_TIMES = {"hour", "day"}
_READ: dict[str, Callable[[Any], Key]] = {"run": paths, "run_ids": paths, "inferred": bool}
_MANY = 4
"""Columns of labels from which on putting equal ones together is quicker here than by comparing texts."""

_HOURS_A_DAY = 24
_DAY = _HOURS_A_DAY * HOUR
_COLUMNS: dict[str, str] = {"key": "key_name", "miss": "cause", "run_id": "root_id"}
"""Group → its column among the labels, where that has another name."""


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
    where = _Where(["seq <= ?", "hour >= (SELECT before_hour FROM retention)"], [cursor.last])
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
    pieces = _pieces(query, first_kept_hour(db), by_kind=_is_by_kind(group_by, query))
    parts = (part for piece in pieces for part in _sums(db, piece, group_by, query))
    return ordered(parts, grouped=bool(group_by))


def _is_by_kind(group_by: Sequence[Group], query: Query) -> bool:
    """Whether sums by day and without run ids tell what is asked."""
    return query.run_id is None and not {"hour", "run_ids", "run_id"} & set(group_by)


def _pieces(query: Query, kept: int, *, by_kind: bool) -> Iterator[tuple[str, _Where]]:
    """The tables that hold the time asked for, each with its conditions: whole days, whole hours, the rest.

    An hour before the first one `kept` is whole: it is asked for where its beginning is.
    """
    since = _FIRST if query.since is None else min(max(query.since, _FIRST), _LAST)
    until = _LAST if query.until is None else min(max(query.until, _FIRST), _LAST)
    begin = float(max(kept * HOUR, _FIRST))
    if since < begin:
        yield from _whole_hours(_hour_from(since), _hour_from(min(until, begin)), by_kind=by_kind)
        since = begin
    if until <= since:
        return
    first, last = _hour_from(since), hour_of(until)
    if first >= last:
        yield "numbers", _Where(["started_at >= ?", "started_at < ?"], [since, until])
        return
    yield from _whole_hours(first, last, by_kind=by_kind)
    for start, end in ((since, first * HOUR), (last * HOUR, until)):
        if start < end:
            yield "numbers", _Where(["started_at >= ?", "started_at < ?"], [start, end])


def _hour_from(at: float) -> int:
    """The first hour that begins at a time or later."""
    return -hour_of(-at)


def _whole_hours(first: int, last: int, *, by_kind: bool) -> Iterator[tuple[str, _Where]]:
    """Hours from `first`, before `last`, the whole days among them as days."""
    days = (-(-first // _HOURS_A_DAY), last // _HOURS_A_DAY)
    if not by_kind or days[0] >= days[1]:
        if first < last:
            yield "hours", _Where(["hour >= ?", "hour < ?"], [first, last])
        return
    yield "days", _Where(["day >= ?", "day < ?"], [*days])
    for start, end in ((first, days[0] * _HOURS_A_DAY), (days[1] * _HOURS_A_DAY, last)):
        if start < end:
            yield "hours", _Where(["hour >= ?", "hour < ?"], [start, end])


def _sums(
    db: sqlite3.Connection, piece: tuple[str, _Where], group_by: Sequence[Group], query: Query
) -> Iterator[tuple[tuple[Key, ...], Sequence[int]]]:
    table, where = piece
    _add_labels(where, query)
    names = [_COLUMNS.get(group, group) for group in dict.fromkeys(group_by) if group not in _TIMES]
    times = ["hour"] if _TIMES & set(group_by) else []
    columns = [*times, *names]
    parts = [_part(group, columns) for group in group_by]
    for row in db.execute(_select(table, where, times, names), where.values):
        numbers = row[len(columns) :]
        if numbers[0]:  # a sum of nothing is NULL
            yield tuple([row[at] if read is None else read(row[at]) for at, read in parts]), _whole(numbers)


def _select(table: str, where: _Where, times: Sequence[str], names: Sequence[str]) -> str:
    """The statement that adds a table up by hour, by columns of the labels, or by both."""
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    source = f"{table} {where}"
    if table == "days":
        source = f"(SELECT day * {_HOURS_A_DAY} AS hour, label, {', '.join(SUMS)} FROM {source})"  # noqa: S608 - our own words only, a query's are parameters
    if names and not times:
        # By label first: there are far fewer labels than sums, and their texts are long to compare.
        source = f"(SELECT label, {sums} FROM {source} GROUP BY label)"  # noqa: S608 - as above
        if len(names) > _MANY:
            return f"SELECT {', '.join((*names, *SUMS))} FROM {source} JOIN labels ON key = label"  # noqa: S608 - as above
    if names:
        source = source if source.startswith("(") else f"(SELECT * FROM {source})"  # noqa: S608 - as above
        source = f"{source} JOIN labels ON key = label"
    by = ", ".join([*times, *names])
    return f"SELECT {f'{by}, ' if by else ''}{sums} FROM {source} {f'GROUP BY {by}' if by else ''}"  # noqa: S608 - as above


def static_sizes(db: sqlite3.Connection, query: Query) -> list[StaticSize]:
    """How many calls began with tools and system of which size, by whole days."""
    where = _Where([], [])
    _add_labels(where, query)
    if query.since is not None:
        where.add(f"(day + 1) * {_DAY} > ?", max(query.since, _FIRST))
    if query.until is not None:
        where.add(f"day * {_DAY} < ?", min(query.until, _LAST))
    # Days are not told apart by run ids, but one run's records are few.
    table = "sizes" if query.run_id is None else "record_sizes"
    rows = db.execute(f"SELECT day, label, tokens, calls FROM {table} {where}", where.values).fetchall()  # noqa: S608 - as above
    labels = _size_labels(db, f"SELECT label FROM {table} {where}", where.values)  # noqa: S608 - as above
    return sizes_of((day, *labels[label], tokens, calls) for day, label, tokens, calls in rows)


def _size_labels(
    db: sqlite3.Connection, which: str, values: Sequence[Any]
) -> dict[int, tuple[str | None, str]]:
    """Key of a label → what kind of agent calls, and on which model."""
    rows = db.execute(
        f"SELECT key, model, run, task_type, agent, inferred FROM labels WHERE key IN ({which})",  # noqa: S608 - as above
        values,
    )
    return {
        key: (Tags(paths(run), (), None, task_type, agent, inferred=bool(inferred)).label, model)
        for key, model, run, task_type, agent, inferred in rows
    }


def _part(group: Group, columns: Sequence[str]) -> tuple[int, Callable[[Any], Key] | None]:
    """Where in a row the value of a group is, and how it is read; None: it is there as it is."""
    if group in ("hour", "day"):
        return columns.index("hour"), partial(time_of, group)
    return columns.index(_COLUMNS.get(group, group)), _READ.get(group)


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
    """Conditions on the label of a row."""
    asked = _Where([], [])
    if query.run_id is not None:
        asked.add("key IN (SELECT label FROM label_runs WHERE run_id = ?)", query.run_id)
    if query.run:
        whole = msgspec.json.encode(query.run).decode()
        inside = f"{whole[:-1]},"
        asked.add("(run = ? OR substr(run, 1, ?) = ?)", whole, len(inside), inside)
    for name in ("user", "team", "key", "task_type", "agent", "model"):
        wanted = getattr(query, name)
        if wanted is not None:
            asked.add(f"{_COLUMNS.get(name, name)} = ?", wanted)
    if asked.terms:
        where.add(f"label IN (SELECT key FROM labels {asked})", *asked.values)  # noqa: S608 - as above
