"""What a ledger says was spent before a limit was set, from the sums of its hours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from scrimp.core.budget import Scope, scopes_of
from scrimp.core.budget_books import Charge
from scrimp.core.budget_terms import Term
from scrimp.core.record import Record, Tags
from scrimp.stores.adding import HOUR, hour_of
from scrimp.stores.budget_views import MOST_RECORDS
from scrimp.stores.ledger_rows import COLUMNS, paths, read_record
from scrimp.stores.retention import first_kept_hour

__all__ = ["charges_before", "dearest"]

_HIGH = 32
_TAGS = "run, run_ids, user, task_type, agent, team, key_name"


def charges_before(db: sqlite3.Connection, term: Term) -> Iterator[Charge]:
    """What was spent in the windows of a limit until now: of those that were over when it was set, nothing.

    Whole hours are one charge for each label; an hour in which a window begins is one for each record.
    """
    labels = _labels(db)
    if term.limit.window == "total":
        rows = db.execute("SELECT label, sum(cost_high), sum(cost_low) FROM hours GROUP BY label")
        for label, high, low in rows:
            yield Charge("", 0.0, labels[label], (high << _HIGH) + low)
        return
    since = hour_of(term.span(term.limit.created_at).start) if term.limit.created_at else None
    where, values = ("", ()) if since is None else ("WHERE hour >= ?", (since,))
    rows = db.execute(f"SELECT hour, label, cost_high, cost_low FROM hours {where}", values)  # noqa: S608 - our own words only
    cut: dict[int, bool] = {}
    first = first_kept_hour(db)
    for hour, label, high, low in rows.fetchall():
        if hour not in cut:
            cut[hour] = hour >= first and _is_cut(term, hour)
        if not cut[hour]:
            yield Charge("", float(hour * HOUR), labels[label], (high << _HIGH) + low)
    for hour in (hour for hour, is_cut in cut.items() if is_cut):
        found = db.execute(
            "SELECT started_at, label, cost FROM records WHERE started_at >= ? AND started_at < ?",
            (hour * HOUR, (hour + 1) * HOUR),
        )
        for started_at, label, cost in found:
            yield Charge("", started_at, labels[label], cost)


def dearest(db: sqlite3.Connection, term: Term, now: float, member: Scope | None) -> list[Record]:
    """The records of a limit's window that cost most."""
    own = term.limit.scope if member is None else member
    each = term.each and member is None
    keys = [
        key
        for key, scopes in _labels(db).items()
        if any(scope.kind == own.kind if each else scope == own for scope in scopes)
    ]
    span = term.span(now)
    where, values = ("", []) if span.end is None else ("AND started_at >= ? AND started_at < ?", [*span])
    rows = db.execute(
        f"""SELECT {COLUMNS} FROM records JOIN labels ON key = label
        WHERE label IN (SELECT value FROM json_each(?)) {where} ORDER BY cost DESC LIMIT ?""",  # noqa: S608 - as above
        (f"[{','.join(map(str, keys))}]", *values, MOST_RECORDS),
    )
    return [read_record(row) for row in rows]


def _is_cut(term: Term, hour: int) -> bool:
    """Whether a window begins within this hour."""
    end = term.span(float(hour * HOUR)).end
    return end is not None and end < (hour + 1) * HOUR


def _labels(db: sqlite3.Connection) -> dict[int, tuple[Scope, ...]]:
    rows = db.execute(f"SELECT key, {_TAGS} FROM labels")  # noqa: S608 - as above
    return {key: _scopes(said) for key, *said in rows}


def _scopes(said: Sequence[Any]) -> tuple[Scope, ...]:
    run, run_ids, user, task_type, agent, team, key = said
    return scopes_of(Tags(paths(run), paths(run_ids), user, task_type, agent, team=team, key=key))
