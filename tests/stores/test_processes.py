"""The ledger among processes: killed, forked, sharing a file, ending without a word, on a full disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.stores.records import record

PROJECT = Path(__file__).parents[2]
SECONDS = 60


def start(what: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.stores.children", what, *map(str, arguments)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(child: subprocess.Popen[bytes]) -> tuple[list[str], str]:
    """What a child acknowledged, and what it said besides."""
    out, err = child.communicate(timeout=SECONDS)
    assert child.returncode == 0, err.decode()
    return out.decode().splitlines(), err.decode()


def assert_kept_once(path: Path, acknowledged: list[str]) -> list[str]:
    """Every acknowledged record is there once, rows and hourly sums agree, and the file is sound."""
    ledger = SqliteLedger(path)
    rows = list(ledger.records())
    [total] = ledger.totals()
    ledger.close()
    times = Counter(row.id for row in rows)
    assert set(acknowledged) <= set(times)
    assert set(times.values()) <= {1}
    assert (total.attempts, total.cost) == (len(rows), sum(row.cost for row in rows))
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    return [row.id for row in rows]


@pytest.mark.parametrize("after", [1, 700, 5000])
def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path, after: int) -> None:
    path = tmp_path / "ledger.sqlite"
    child = start("flood", path)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().decode().strip() for _ in range(after)]
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().decode().splitlines()  # after what readline has already taken in
    child.communicate(timeout=SECONDS)
    kept = assert_kept_once(path, acknowledged + rest)
    assert len(kept) >= after
    ledger = SqliteLedger(path)
    ledger.record(record(id="and it goes on"))
    ledger.close()


def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite"
    children = [start("write", path, prefix, 300) for prefix in "abc"]
    acknowledged = [name for child in children for name in finish(child)[0]]
    assert len(acknowledged) == 3 * 2 * 300
    kept = assert_kept_once(path, acknowledged)
    assert sorted(kept) == sorted(f"{prefix}-{n}" for prefix in ("a", "b", "c", "shared") for n in range(300))


def test_an_interpreter_that_exits_writes_what_was_submitted(tmp_path: Path) -> None:
    finish(start("leave", tmp_path / "ledger.sqlite"))
    kept = assert_kept_once(tmp_path / "ledger.sqlite", [])
    assert sorted(kept) == sorted([*map(str, range(500)), "at exit"])
    assert [found.name for found in tmp_path.iterdir()] == ["ledger.sqlite"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_worker_writes_what_was_submitted(tmp_path: Path) -> None:
    finish(start("leave_worker", tmp_path / "ledger.sqlite"))
    kept = assert_kept_once(tmp_path / "ledger.sqlite", [])
    assert sorted(kept) == sorted([*map(str, range(500)), "parent"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_and_child_go_on_after_a_fork(tmp_path: Path) -> None:
    acknowledged, _ = finish(start("fork", tmp_path / "ledger.sqlite"))
    kept = assert_kept_once(tmp_path / "ledger.sqlite", acknowledged)
    for prefix, count in (("child-", 100), ("parent-", 100), ("last-child-", 10)):
        assert sum(name.startswith(prefix) for name in kept) == count
    assert set(kept) == set(acknowledged)


def test_a_full_disk_fails_and_works_again_when_there_is_room(tmp_path: Path) -> None:
    acknowledged, said = finish(start("full_disk", tmp_path / "ledger.sqlite"))
    kept = assert_kept_once(tmp_path / "ledger.sqlite", acknowledged)
    assert len([name for name in acknowledged if name.startswith("before-")]) > 10
    assert [name for name in kept if name.startswith("after-")] == [f"after-{n}" for n in range(20)]
    assert f"{tmp_path}/ledger.sqlite: the disk" in said


def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        acknowledged, said = finish(start("read_only", folder))
    assert acknowledged == []
    assert said.splitlines() == [f"{folder}/ledger.sqlite: Permission denied"] * 2
