"""The tables of a ledger.

`labels` holds what the steps of a run share, once; `records` a row for each attempt, never changed; `hours`
their sums by hour and label, kept in the same transaction. Money is whole picodollars. Sums of money are two
columns, the part above 32 bits and the 32 bits below, because a fleet's total can pass 64 bits.
"""

from __future__ import annotations

import sqlite3

from scrimp.stores.migrations import Schema

__all__ = ["LEDGER", "SUMS", "roll_up"]

SUMS = (
    "attempts",
    "input_tokens",
    "write_5m",
    "write_1h",
    "read",
    "output_tokens",
    "cost_high",
    "cost_low",
    "estimated_high",
    "estimated_low",
    "own_high",
    "own_low",
    "compared_high",
    "compared_low",
)
"""The columns that `hours` and `numbers` share, in order."""

_RECORDS = (
    """CREATE TABLE labels (
        key INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        mode TEXT NOT NULL,
        outcome TEXT NOT NULL,
        run TEXT NOT NULL,
        run_ids TEXT NOT NULL,
        user TEXT,
        task_type TEXT,
        agent TEXT
    )""",
    "CREATE TABLE label_runs (run_id TEXT, label INTEGER, PRIMARY KEY (run_id, label)) WITHOUT ROWID",
    """CREATE TABLE records (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        call_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        label INTEGER NOT NULL REFERENCES labels (key),
        hour INTEGER NOT NULL,
        started_at REAL NOT NULL,
        first_event_at REAL,
        ended_at REAL,
        status INTEGER,
        stream INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL,
        write_5m INTEGER NOT NULL,
        write_1h INTEGER NOT NULL,
        read INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cost INTEGER NOT NULL,
        measured INTEGER NOT NULL,
        own_cost INTEGER,
        predicted_read INTEGER,
        predicted_write INTEGER,
        prompt BLOB,
        message_id TEXT,
        request_id TEXT,
        fault TEXT,
        notes TEXT NOT NULL,
        usage TEXT NOT NULL
    )""",
    "CREATE INDEX records_by_time ON records (started_at)",
    "CREATE INDEX records_by_label ON records (label, started_at)",
    """CREATE TRIGGER records_stay BEFORE DELETE ON records
        BEGIN SELECT raise(ABORT, 'records are never deleted'); END""",
    """CREATE TRIGGER records_stay_as_they_are BEFORE UPDATE ON records
        BEGIN SELECT raise(ABORT, 'records are never changed'); END""",
)

_HOURS = (
    """CREATE TABLE hours (
        hour INTEGER NOT NULL,
        label INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL,
        write_5m INTEGER NOT NULL,
        write_1h INTEGER NOT NULL,
        read INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cost_high INTEGER NOT NULL,
        cost_low INTEGER NOT NULL,
        estimated_high INTEGER NOT NULL,
        estimated_low INTEGER NOT NULL,
        own_high INTEGER NOT NULL,
        own_low INTEGER NOT NULL,
        compared_high INTEGER NOT NULL,
        compared_low INTEGER NOT NULL,
        PRIMARY KEY (hour, label)
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
        CASE WHEN own_cost IS NULL THEN 0 ELSE cost & 4294967295 END AS compared_low
    FROM records""",
)

_ROLL_UP = """INSERT INTO hours
SELECT hour, label, sum(attempts),
    sum(input_tokens), sum(write_5m), sum(write_1h), sum(read), sum(output_tokens),
    sum(cost_high), sum(cost_low), sum(estimated_high), sum(estimated_low),
    sum(own_high), sum(own_low), sum(compared_high), sum(compared_low)
FROM numbers WHERE seq > ? GROUP BY hour, label
ON CONFLICT (hour, label) DO UPDATE SET
    attempts = attempts + excluded.attempts,
    input_tokens = input_tokens + excluded.input_tokens,
    write_5m = write_5m + excluded.write_5m,
    write_1h = write_1h + excluded.write_1h,
    read = read + excluded.read,
    output_tokens = output_tokens + excluded.output_tokens,
    cost_high = cost_high + excluded.cost_high,
    cost_low = cost_low + excluded.cost_low,
    estimated_high = estimated_high + excluded.estimated_high,
    estimated_low = estimated_low + excluded.estimated_low,
    own_high = own_high + excluded.own_high,
    own_low = own_low + excluded.own_low,
    compared_high = compared_high + excluded.compared_high,
    compared_low = compared_low + excluded.compared_low"""


def roll_up(db: sqlite3.Connection, after: int) -> None:
    """Add the records written after number `after` to the sums of their hours."""
    db.execute(_ROLL_UP, (after,))


def m0001_records(db: sqlite3.Connection) -> None:
    """Records and their labels."""
    for statement in _RECORDS:
        db.execute(statement)


def m0002_hours(db: sqlite3.Connection) -> None:
    """Sums by hour and label, of what is there already too."""
    for statement in _HOURS:
        db.execute(statement)
    roll_up(db, 0)


def m0003_misses(db: sqlite3.Connection) -> None:
    """Why a call missed the cache, and what that cost; unknown of records from before."""
    db.execute("ALTER TABLE records ADD COLUMN miss TEXT")
    db.execute("ALTER TABLE records ADD COLUMN lost INTEGER")


LEDGER = Schema("ledger", 0x73637231, (m0001_records, m0002_hours, m0003_misses))
