"""The ledger's file: whose it is, what becomes of it when damaged, old, locked, moved or not ours."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec
import pytest

from scrimp.core.record import Record, Tags
from scrimp.errors import StoreError
from scrimp.stores import ledger_rows
from scrimp.stores.adding import hour_of
from scrimp.stores.appending import Appender
from scrimp.stores.ledger import Group, Query
from scrimp.stores.ledger_items import Kept
from scrimp.stores.ledger_schema import LEDGER
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.migrations import Schema
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import PATIENCE
from tests.stores.records import NOON, record

OLD_COLUMNS = """id, call_id, attempt, label, hour, started_at, first_event_at, ended_at, status, stream,
    input_tokens, write_5m, write_1h, read, output_tokens, cost, measured, own_cost,
    predicted_read, predicted_write, prompt, message_id, request_id, notes, usage, fault"""
"""What a record was before misses were kept with it."""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(path: Path, count: int) -> list[str]:
    """A closed ledger of so many records; their ids."""
    ledger = SqliteLedger(path)
    ids = [f"old-{number}" for number in range(count)]
    for done in [ledger.submit(record(id=name, notes=("x" * 200,))) for name in ids]:
        done.result(PATIENCE)
    ledger.close()
    return ids


def test_nothing_is_there_before_the_first_use(tmp_path: Path) -> None:
    SqliteLedger(tmp_path / "state" / "ledger.sqlite").close()
    assert list(tmp_path.iterdir()) == []


def test_importing_stores_does_not_import_sqlite() -> None:
    code = "import sys, scrimp.stores.ledger, scrimp.stores.memory; sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_are_their_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.record(record())
    assert mode(path.parent) == 0o700
    assert {found.name: mode(found) for found in path.parent.iterdir()} == {
        "ledger.sqlite": 0o600,
        "ledger.sqlite-shm": 0o600,
        "ledger.sqlite-wal": 0o600,
    }
    ledger.close()


def test_commits_are_durable_by_the_book(tmp_path: Path) -> None:
    """https://sqlite.org/pragma.html#pragma_synchronous: FULL (2) in WAL mode survives a power cut."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.record(record())
    database = ledger._store._database
    assert database.write(lambda db: db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    assert database.write(lambda db: db.execute("PRAGMA synchronous").fetchone()) == (2,)
    ledger.close()


@pytest.mark.parametrize("change", ["DELETE FROM records", "UPDATE records SET cost = 0"])
def test_rows_are_final(tmp_path: Path, change: str) -> None:
    written(tmp_path / "ledger.sqlite", 1)
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="records are never"):
        db.execute(change)
    db.close()


def test_money_stays_whole_in_the_file(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    for number in range(3):
        ledger.record(record(cost=2**63 - 1 - number, own_cost=2**62))
    ledger.close()
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    kinds = db.execute(
        "SELECT DISTINCT typeof(cost), typeof(own_cost), typeof(cost_high), typeof(cost_low)"
        " FROM records, hours"
    ).fetchall()
    assert kinds == [("integer",) * 4]
    db.close()


def test_what_says_nothing_is_told_from_nothing_said(tmp_path: Path) -> None:
    kept = [record(fault=fault, miss=fault, lost=lost) for fault, lost in ((None, 0), ("", None), ("0", 7))]
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    for item in kept:
        ledger.record(item)
    assert list(ledger.records()) == kept
    ledger.close()


def at_start(data: bytearray) -> None:
    data[:100] = b"not what it was " * 6 + b"...."


def in_every_page(data: bytearray) -> None:
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = bytes(64)


def halved(data: bytearray) -> None:
    del data[len(data) // 2 :]


def overwritten(data: bytearray) -> None:
    data[:] = b"to do: buy milk\n"


@pytest.mark.parametrize("damage", [at_start, in_every_page, halved, overwritten])
@pytest.mark.parametrize("reading", [False, True])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, damage: Callable[[bytearray], None], reading: bool
) -> None:
    path = tmp_path / "ledger.sqlite"
    written(path, 200)
    data = bytearray(path.read_bytes())
    damage(data)
    path.write_bytes(data)
    warnings: list[str] = []
    ledger = SqliteLedger(path, warn=warnings.append)
    if reading:
        assert list(ledger.records()) == []
    ledger.record(record(id="new"))
    assert [row.id for row in ledger.records()] == ["new"]
    ledger.close()
    [aside] = tmp_path.glob("ledger.sqlite.corrupt-*Z")
    assert aside.read_bytes() == data
    [warning] = warnings
    assert str(path) in warning
    assert aside.name in warning
    assert "\n" not in warning


def test_what_was_set_aside_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    for number in range(4):
        path.write_bytes(b"damaged %d" % number)
        ledger = SqliteLedger(path)
        ledger.record(record())
        ledger.close()
    found = sorted(aside.read_bytes() for aside in tmp_path.glob("*.corrupt-*"))
    assert found == [b"damaged %d" % number for number in range(4)]


@pytest.mark.parametrize("damaged", [b"", b"damaged"])
def test_the_log_of_a_damaged_file_is_kept_with_it(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(damaged)
    path.with_name("ledger.sqlite-wal").write_bytes(b"commits")
    ledger = SqliteLedger(path)
    ledger.record(record())
    ledger.close()
    [aside] = tmp_path.glob("*.corrupt-*-wal")
    assert aside.read_bytes() == b"commits"


@pytest.mark.parametrize("damage", [at_start, in_every_page, overwritten])
def test_commits_that_were_still_in_the_log_are_kept(
    tmp_path: Path, damage: Callable[[bytearray], None]
) -> None:
    path = tmp_path / "live" / "ledger.sqlite"
    written(path, 200)
    live = SqliteLedger(path)
    live.record(record(id="in the log alone"))
    copied = tmp_path / "copy" / "ledger.sqlite"
    shutil.copytree(path.parent, copied.parent)
    live.close()
    data = bytearray(copied.read_bytes())
    assert b"in the log alone" not in data
    damage(data)
    copied.write_bytes(data)
    ledger = SqliteLedger(copied)
    ledger.record(record(id="new"))
    ledger.close()
    assert b"in the log alone" in b"".join(found.read_bytes() for found in copied.parent.iterdir())


def test_damage_that_shows_later_is_mended_too(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    warnings: list[str] = []
    ledger = SqliteLedger(path, warn=warnings.append)
    ledger.record(record(id="old"))
    ledger._store._database.close()  # nothing is cached, and the open file is known to be sound
    data = bytearray(path.read_bytes())
    in_every_page(data)
    path.write_bytes(data)
    ledger.record(record(id="new"))
    assert [row.id for row in ledger.records()] == ["new"]
    assert len(warnings) == 1
    ledger.close()


def written_then(db: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Write records as the first versions did: labels without team, key or cause."""
    has_misses = "miss" in [row[1] for row in db.execute("PRAGMA table_info(records)")]
    for item in records:
        tags = item.tags
        run, run_ids = (json.dumps(path, separators=(",", ":")) for path in (tags.run, tags.run_ids))
        said = (item.provider, item.model, item.mode, item.outcome, run, run_ids)
        digest = repr((said, tags.user)).encode()
        db.execute(
            "INSERT OR IGNORE INTO labels VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (digest, *said, tags.user, tags.task_type, tags.agent),
        )
        [label] = db.execute("SELECT key FROM labels WHERE digest = ?", (digest,)).fetchone()
        for run_id in tags.run_ids:
            db.execute("INSERT OR IGNORE INTO label_runs VALUES (?, ?)", (run_id, label))
        now = ledger_rows._row(item, label, hour_of(item.started_at))
        row = (*now[:18], *now[20:27], item.fault)  # without what was not kept then
        db.execute(f"INSERT INTO records ({OLD_COLUMNS}) VALUES ({', '.join('?' * 26)})", row)  # noqa: S608 - our own words only
        if has_misses and item.miss:
            db.execute("DROP TRIGGER IF EXISTS records_stay_as_they_are")
            db.execute("UPDATE records SET miss = ?, lost = ? WHERE id = ?", (item.miss, item.lost, item.id))
            db.execute(
                "CREATE TRIGGER records_stay_as_they_are BEFORE UPDATE ON records"
                " BEGIN SELECT raise(ABORT, 'records are never changed'); END"
            )


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_file_is_brought_up_to_date_with_its_rows(tmp_path: Path, version: int) -> None:
    path = tmp_path / "ledger.sqlite"
    schema = Schema(LEDGER.kind, LEDGER.mark, LEDGER.migrations[:version])
    old: Appender[Record] = Appender(path, schema, written_then)
    missed = {"miss": "TTL expired", "lost": 7} if version == 3 else {}
    kept = [
        record(
            cost=10**number,
            own_cost=2,
            started_at=NOON - 86400 * (number % 3),
            tags=Tags(("nightly",), (f"r{number % 2}",), "u_42") if number else Tags(user="nobody"),
            **(missed if number > 9 else {}),
        )
        for number in range(12)
    ]
    for item in kept:
        old.append(item)
    old.close()
    ledger, asked = SqliteLedger(path), MemoryLedger()
    for item in kept:
        asked.record(item)
    for group_by in ([], ["miss"], ["run_id", "user"], ["day"], ["team", "key", "inferred"], ["run", "hour"]):
        assert ledger.totals(cast("list[Group]", group_by)) == asked.totals(cast("list[Group]", group_by))
    assert ledger.totals()[0].cost == 111_111_111_111
    assert sorted(ledger.records(), key=lambda row: row.cost) == kept
    assert [row.id for row in ledger.records(Query(run_id="r1"))] == [
        row.id for row in asked.records(Query(run_id="r1"))
    ]
    ledger.record(record(miss="TTL expired", lost=12_345, tags=Tags(team="red", user="u_42")))
    [total] = ledger.totals((), Query(team="red"))
    assert (total.attempts, total.lost) == (1, 12_345)
    assert ledger.totals()[0].attempts == 13
    ledger.close()


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    written(path, 3)
    db = sqlite3.connect(path)
    db.execute("INSERT INTO migrations VALUES ('m9999_from_the_future', 0)")
    db.commit()
    db.close()
    ledger = SqliteLedger(path)
    with pytest.raises(StoreError, match=r"newer scrimp \(m9999_from_the_future\): upgrade scrimp"):
        ledger.record(record())
    with pytest.raises(StoreError, match="upgrade scrimp"):
        ledger.totals()
    ledger.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM records").fetchone() == (3,)
    db.close()


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.commit()
    db.close()
    before = path.read_bytes()
    ledger = SqliteLedger(path)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"ledger\.sqlite: another program's database"):
            ledger.record(record())
    ledger.close()
    assert path.read_bytes() == before


def test_a_lock_held_too_long_fails_in_time_and_then_works(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    written(path, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger = SqliteLedger(path, busy_seconds=0.2)
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"another process has had it locked for 0\.2 seconds"):
        ledger.record(record(id="locked out"))
    assert 0.2 <= time.monotonic() - began < 5
    assert ledger.totals()[0].attempts == 1  # readers are not in the way of a writer, nor it in theirs
    other.execute("COMMIT")
    other.close()
    ledger.record(record(id="let in"))
    assert [row.id for row in ledger.records()] == ["old-0", "let in"]
    ledger.close()


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_file_that_goes_away_is_begun_anew(tmp_path: Path, how: str) -> None:
    path, elsewhere = tmp_path / "ledger.sqlite", tmp_path / "elsewhere"
    elsewhere.mkdir()
    ledger = SqliteLedger(path)
    ledger.record(record(id="before"))
    for found in tmp_path.glob("ledger.sqlite*"):
        found.rename(elsewhere / found.name) if how == "moved" else found.unlink()
    ledger.record(record(id="after"))
    assert [row.id for row in ledger.records()] == ["after"]
    ledger.close()
    if how == "moved":
        old = SqliteLedger(elsewhere / "ledger.sqlite")
        assert [row.id for row in old.records()] == ["before"]
        old.close()


def test_a_folder_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="it cannot be opened; check that it is a file"):
        SqliteLedger(tmp_path).record(record())
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        SqliteLedger(tmp_path / "file" / "ledger.sqlite").record(record())


def test_of_a_batch_only_what_is_new_is_added_to_the_sums(tmp_path: Path) -> None:
    ledger, asked = SqliteLedger(tmp_path / "ledger.sqlite"), MemoryLedger()
    known = record(id="known", cost=5, static_tokens=1_234)
    ledger.record(known)
    batch = [
        record(id="twice", cost=2**40, own_cost=-7, measured=False, static_tokens=1_231, lost=2**33),
        record(id="twice", cost=11, own_cost=13, static_tokens=8, lost=17),
        msgspec.structs.replace(known, cost=19),
        record(id="else", cost=-(2**35), tags=Tags(user="u_1"), static_tokens=None),
        record(id="before", cost=23, started_at=NOON - 86400 * 30_000, own_cost=29, static_tokens=99_999),
    ]
    ledger._store._write([Kept(one, None) for one in batch])
    for one in (known, *batch):
        asked.record(one)
    assert ledger.totals(("day", "user", "run_id")) == asked.totals(("day", "user", "run_id"))
    assert ledger.totals(("hour",)) == asked.totals(("hour",))
    assert ledger.totals() == asked.totals()
    assert ledger.static_sizes() == asked.static_sizes()
    ledger.close()
