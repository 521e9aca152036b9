"""The tables of a ledger.

`labels` holds what the steps of a run share, once; `records` a row for each attempt, never changed. Money is
whole picodollars. Their sums are in `ledger_sums`.
"""

from __future__ import annotations

import sqlite3

from scrimp.stores.budget_tables import m0004_budgets, m0006_feared
from scrimp.stores.ledger_changes import open_changes
from scrimp.stores.ledger_sums import m0005_more_labels
from scrimp.stores.migrations import Schema

__all__ = ["LEDGER"]

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


def m0001_records(db: sqlite3.Connection) -> None:
    """Records and their labels."""
    for statement in _RECORDS:
        db.execute(statement)


def m0002_hours(db: sqlite3.Connection) -> None:
    """Sums by hour and label; those of what is there already are made with the columns of m0005."""
    for statement in _HOURS:
        db.execute(statement)


def m0003_misses(db: sqlite3.Connection) -> None:
    """Why a call missed the cache, and what that cost; unknown of records from before."""
    db.execute("ALTER TABLE records ADD COLUMN miss TEXT")
    db.execute("ALTER TABLE records ADD COLUMN lost INTEGER")


def m0007_window(db: sqlite3.Connection) -> None:
    """How much the model's context holds; unknown of records from before."""
    db.execute("ALTER TABLE records ADD COLUMN window INTEGER")


_MIGRATIONS = (
    m0001_records,
    m0002_hours,
    m0003_misses,
    m0004_budgets,
    m0005_more_labels,
    m0006_feared,
    m0007_window,
)

LEDGER = Schema("ledger", 0x73637231, _MIGRATIONS, open_changes)
