"""The sums of a ledger, kept in the transaction that writes the records.

`hours` adds records up by hour and label. `days` adds them up by day and by label without run ids (its
`kind`), so that a year stays small however many runs it had. `sizes` counts calls by the size of their tools
and system. Sums of money are two columns, the part above 32 bits and the 32 bits below, because a fleet's
total can pass 64 bits.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import Any, cast

__all__ = ["ADD_TO_SUMS", "NEVER", "SUMS", "m0005_more_labels"]

_COUNTS = ("attempts", "input_tokens", "write_5m", "write_1h", "read", "output_tokens")
_AMOUNTS = ("cost", "estimated", "own", "compared", "lost")
SUMS = (*_COUNTS, *(f"{name}_{half}" for name in _AMOUNTS for half in ("high", "low")))
"""The columns that `hours`, `days` and `numbers` share, in order."""

_DAY_OF_HOUR = "((hour - 23 * (hour < 0)) / 24)"
"""Days since the epoch, whole, of hours since the epoch: SQLite rounds towards zero."""

NEVER = -(10**9)
"""The hour before which a ledger keeps no records, where it keeps all: before every time there is."""

_SIZE = """CASE WHEN static_tokens < 1000 THEN static_tokens
    WHEN static_tokens < 10000 THEN (static_tokens + 5) / 10 * 10
    WHEN static_tokens < 100000 THEN (static_tokens + 50) / 100 * 100
    ELSE (static_tokens + 500) / 1000 * 1000 END"""
"""As `rounded_size`."""

_COLUMNS = ", ".join(f"{name} INTEGER NOT NULL" for name in SUMS)
_ADDED = ", ".join(f"sum({name})" for name in SUMS)
_UPDATED = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)

_NEW = ", ".join(f"NEW.{name}" for name in SUMS)
ADD_TO_SUMS = (
    f"""INSERT INTO hours SELECT NEW.hour, NEW.label, {_NEW} WHERE NEW.hour IS NOT NULL
    ON CONFLICT (hour, label) DO UPDATE SET {_UPDATED}""",
    f"""INSERT INTO days SELECT NEW.day, NEW.kind, {_NEW} WHERE NEW.hour IS NOT NULL
    ON CONFLICT (day, label) DO UPDATE SET {_UPDATED}""",
    """INSERT INTO sizes SELECT NEW.day, NEW.kind, CAST(key AS INTEGER), value
    FROM json_each(NEW.sizes) WHERE NEW.hour IS NOT NULL
    ON CONFLICT (day, label, tokens) DO UPDATE SET calls = calls + excluded.calls""",
)
"""Of a trigger that is given what new records add to the sums of one hour and label, and of their day and
kind; without an hour there is nothing to add."""

_SUM_TABLES = (
    f"""CREATE TABLE hours (
        hour INTEGER NOT NULL, label INTEGER NOT NULL, {_COLUMNS}, PRIMARY KEY (hour, label)
    ) WITHOUT ROWID""",
    f"""CREATE TABLE days (
        day INTEGER NOT NULL, label INTEGER NOT NULL, {_COLUMNS}, PRIMARY KEY (day, label)
    ) WITHOUT ROWID""",
    """CREATE TABLE sizes (
        day INTEGER NOT NULL, label INTEGER NOT NULL, tokens INTEGER NOT NULL, calls INTEGER NOT NULL,
        PRIMARY KEY (day, label, tokens)
    ) WITHOUT ROWID""",
    """CREATE VIEW numbers AS SELECT
        seq, started_at, hour, label,
        1 AS attempts, input_tokens, write_5m, write_1h, read, output_tokens,
        cost >> 32 AS cost_high,
        cost & 4294967295 AS cost_low,
        CASE WHEN measured THEN 0 ELSE cost >> 32 END AS estimated_high,
        CASE WHEN measured THEN 0 ELSE cost & 4294967295 END AS estimated_low,
        ifnull(own_cost >> 32, 0) AS own_high,
        ifnull(own_cost & 4294967295, 0) AS own_low,
        CASE WHEN own_cost IS NULL THEN 0 ELSE cost >> 32 END AS compared_high,
        CASE WHEN own_cost IS NULL THEN 0 ELSE cost & 4294967295 END AS compared_low,
        ifnull(lost >> 32, 0) AS lost_high,
        ifnull(lost & 4294967295, 0) AS lost_low
    FROM records""",
    f"""CREATE VIEW record_sizes AS SELECT {_DAY_OF_HOUR} AS day, label, {_SIZE} AS tokens, 1 AS calls
    FROM records WHERE static_tokens IS NOT NULL""",  # noqa: S608 - our own words only, here and below
)

_MORE_COLUMNS = (
    "ALTER TABLE labels ADD COLUMN team TEXT",
    "ALTER TABLE labels ADD COLUMN key_name TEXT",
    "ALTER TABLE labels ADD COLUMN inferred INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE labels ADD COLUMN cause TEXT",
    "ALTER TABLE labels ADD COLUMN root_id TEXT",
    "ALTER TABLE labels ADD COLUMN kind INTEGER",
    "ALTER TABLE records ADD COLUMN static_tokens INTEGER",
)
_RETENTION = (
    "CREATE TABLE retention (one INTEGER PRIMARY KEY CHECK (one = 1), before_hour INTEGER NOT NULL)",
    f"INSERT INTO retention VALUES (1, {NEVER:d})",  # noqa: S608 - as above
    "CREATE TABLE pruned (digest BLOB PRIMARY KEY) WITHOUT ROWID",
    """CREATE TRIGGER retention_moves_on BEFORE UPDATE ON retention WHEN NEW.before_hour < OLD.before_hour
        BEGIN SELECT raise(ABORT, 'what was pruned stays pruned'); END""",
    "DROP TRIGGER records_stay",
    """CREATE TRIGGER records_stay BEFORE DELETE ON records
        WHEN OLD.hour >= (SELECT before_hour FROM retention)
        BEGIN SELECT raise(ABORT, 'records are never deleted before they may be pruned'); END""",
)

_SAID = "provider, model, mode, outcome, run, user, task_type, agent"


def _roll_ups() -> tuple[str, ...]:
    """Statements that add up all records there are."""
    return (
        f"INSERT INTO hours SELECT hour, label, {_ADDED} FROM numbers GROUP BY hour, label",  # noqa: S608 - as above
        f"""INSERT INTO days SELECT {_DAY_OF_HOUR} AS day, kind, {_ADDED}
        FROM numbers CROSS JOIN labels ON key = label GROUP BY day, kind""",  # noqa: S608 - as above
        f"""INSERT INTO sizes SELECT {_DAY_OF_HOUR} AS day, kind, {_SIZE} AS tokens, count(*)
        FROM records CROSS JOIN labels ON key = label WHERE static_tokens IS NOT NULL
        GROUP BY day, kind, tokens""",  # noqa: S608 - as above
    )


def m0005_more_labels(db: sqlite3.Connection) -> None:
    """Team, key and cause of a miss among the labels; sums by day without run ids; what may be pruned."""
    for statement in _MORE_COLUMNS:
        db.execute(statement)
    db.execute("DROP TRIGGER records_stay_as_they_are")
    _label_misses(db)
    db.execute(
        """CREATE TRIGGER records_stay_as_they_are BEFORE UPDATE ON records
        BEGIN SELECT raise(ABORT, 'records are never changed'); END"""
    )
    _set_kinds(db)
    for statement in (*_RETENTION, "DROP VIEW numbers", "DROP TABLE hours", *_SUM_TABLES, *_roll_ups()):
        db.execute(statement)


def _label_misses(db: sqlite3.Connection) -> None:
    """Records that missed get a label that says so."""
    found = db.execute("SELECT DISTINCT label, miss FROM records WHERE miss IS NOT NULL").fetchall()
    for label, miss in found:
        made = db.execute(
            f"""INSERT INTO labels (digest, run_ids, cause, {_SAID})
            SELECT ?, run_ids, ?, {_SAID} FROM labels WHERE key = ?""",  # noqa: S608 - our own words only
            (_digest(label, miss), miss, label),
        ).lastrowid
        db.execute("INSERT INTO label_runs SELECT run_id, ? FROM label_runs WHERE label = ?", (made, label))
        db.execute("UPDATE records SET label = ? WHERE label = ? AND miss = ?", (made, label, miss))


def _set_kinds(db: sqlite3.Connection) -> None:
    """Each label gets its kind, the label that says the same without run ids, and its outermost run's id."""
    db.execute("UPDATE labels SET root_id = json_extract(run_ids, '$[0]') WHERE run_ids != '[]'")
    kinds: dict[tuple[Any, ...], int] = {}
    rows = db.execute(f"SELECT key, run_ids, cause, {_SAID} FROM labels").fetchall()  # noqa: S608 - as above
    for key, run_ids, *said in rows:
        if run_ids == "[]":
            kinds[tuple(said)] = key
    for key, _, *said in rows:
        kind = kinds.get(tuple(said))
        if kind is None:
            kind = kinds[tuple(said)] = _new_kind(db, said)
        db.execute("UPDATE labels SET kind = ? WHERE key = ?", (kind, key))


def _new_kind(db: sqlite3.Connection, said: list[Any]) -> int:
    row = (_digest(*said), *said)
    made = db.execute(
        f"INSERT INTO labels (digest, run_ids, cause, {_SAID}) VALUES (?, '[]'{', ?' * len(said)})",  # noqa: S608 - as above
        row,
    ).lastrowid
    db.execute("UPDATE labels SET kind = key WHERE key = ?", (made,))
    return cast(int, made)


def _digest(*said: Any) -> bytes:
    """One that no label of today has: those are made of other texts."""
    return blake2b(repr(said).encode(), digest_size=16, person=b"m0005").digest()
