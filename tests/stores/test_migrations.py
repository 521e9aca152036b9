"""Numbered changes of tables: whose database it is, whoever else is at it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scrimp.stores.migrations import Schema, check_owner, migrate


def m0001_things(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE things (x)")


SCHEMA = Schema("list of things", 0x7E57, (m0001_things,))


@pytest.mark.parametrize("statement", [1, 2])
def test_a_file_that_another_process_is_just_making_is_our_own(tmp_path: Path, statement: int) -> None:
    path = tmp_path / "things.sqlite"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as ours,
        closing(sqlite3.connect(path, isolation_level=None)) as theirs,
    ):
        seen: list[str] = []

        def meanwhile(sql: str) -> None:
            seen.append(sql)
            if len(seen) == statement:
                migrate(theirs, SCHEMA)

        ours.set_trace_callback(meanwhile)
        check_owner(ours, SCHEMA)
        assert len(seen) >= statement
        ours.set_trace_callback(None)
        migrate(ours, SCHEMA)
        assert ours.execute("SELECT count(*) FROM migrations").fetchone() == (1,)
