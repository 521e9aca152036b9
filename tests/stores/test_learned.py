"""What was learned, on disk: rows of all processes, and nothing that stands in anyone's way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from scrimp.core.gaps import EDGES, Counts
from scrimp.core.horizon import Learned
from scrimp.core.learned import FORMAT, Snapshot
from scrimp.core.tokens.learner import Ratios
from scrimp.errors import StoreError
from scrimp.stores.learned import LearnedStore

DAY = 86_400.0
CHILD = """
import sys
from scrimp.core.gaps import EDGES, Counts
from scrimp.core.horizon import Learned
from scrimp.core.learned import Snapshot
from scrimp.stores.learned import LearnedStore
name, store = sys.argv[2], LearnedStore(sys.argv[1])
for waits in range(1, 51):
    counts = Counts((float(waits),) * len(EDGES), (0.0,) * len(EDGES))
    own = {f"{name} {n}": counts for n in range(20)}
    store.save(Snapshot(Learned({"all": counts, **own})), now=float(waits)).result()
"""


def counts(waits: float) -> Counts:
    return Counts((waits,) * len(EDGES), (0.0,) * len(EDGES))


def snapshot(**waits: float) -> Snapshot:
    return Snapshot(Learned({label: counts(count) for label, count in waits.items()}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "learned.sqlite"


def saved(path: Path, *snapshots: Snapshot, now: float = 1.0) -> None:
    store = LearnedStore(path)
    for one in snapshots:
        store.save(one, now=now)
    store.close()


def test_what_is_saved_is_loaded(path: Path) -> None:
    whole = Snapshot(
        Learned({"a": counts(1)}, {"b": counts(2)}, {"c": [("messages", 3), None]}),
        {"claude-haiku-4-5": Ratios(noise=0.1, bills=7)},
    )
    saved(path, whole)
    assert LearnedStore(path).load() == whole


def test_looking_creates_nothing(path: Path) -> None:
    store = LearnedStore(path)
    assert store.load() == Snapshot()
    store.save(Snapshot(), now=1).result()
    assert not path.parent.exists()


def test_of_one_key_the_last_saved_holds_and_others_stay(path: Path) -> None:
    saved(path, snapshot(a=1, b=1), snapshot(b=2, c=2))
    assert LearnedStore(path).load() == snapshot(a=1, b=2, c=2)


def test_workspaces_are_apart(path: Path) -> None:
    store = LearnedStore(path)
    store.save(snapshot(a=1), now=1, workspace="one")
    store.save(snapshot(a=2), now=1, workspace="two").result()
    assert store.load("one") == snapshot(a=1)
    assert store.load("two") == snapshot(a=2)
    assert store.load() == Snapshot()


def test_processes_that_save_at_once_keep_the_keys_of_all(path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(path)]
    children = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "abc"]
    assert [child.communicate(timeout=60)[1] for child in children] == ["", "", ""]
    expected = {f"{name} {n}": counts(50) for name in "abc" for n in range(20)}
    found = LearnedStore(path).load().horizon.continuing
    assert {key: found[key] for key in expected} == expected
    assert set(found) - set(expected) == {"all"}


def test_what_is_not_saved_again_is_forgotten(path: Path) -> None:
    saved(path, snapshot(old=1), now=1.0)
    saved(path, snapshot(new=1), now=89 * DAY)
    assert LearnedStore(path).load() == snapshot(old=1, new=1)
    saved(path, snapshot(new=2), now=91 * DAY)
    assert LearnedStore(path).load() == snapshot(new=2)


def test_names_that_are_new_for_every_run_do_not_add_up(path: Path) -> None:
    store = LearnedStore(path)
    for turn in range(10):
        many = {f"run {turn} {n}": 1.0 for n in range(1000)}
        store.save(snapshot(**many), now=float(turn)).result()
    assert len(store.load().horizon.continuing) == 4000
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*), min(saved_at) FROM learned").fetchone() == (4000, 6.0)


def test_a_damaged_file_is_set_aside_and_told(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    told: list[str] = []
    store = LearnedStore(path, warn=told.append)
    assert store.load() == Snapshot()
    store.save(snapshot(a=1), now=1).result()
    assert store.load() == snapshot(a=1)
    assert [line.split(" was damaged")[0] for line in told] == [str(path)]


def test_rows_that_are_damaged_or_newer_are_ignored_and_told_once(path: Path) -> None:
    saved(path, snapshot(a=1, b=1, c=1))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE learned SET value = 'text' WHERE key = 'a'")
        db.execute("UPDATE learned SET format = ? WHERE key = 'b'", (FORMAT + 1,))
    told: list[str] = []
    assert LearnedStore(path, warn=told.append).load() == snapshot(c=1)
    assert told == [f"{path}: 2 entries are ignored, because they were not understood"]


def test_rows_of_a_newer_scrimp_are_neither_read_nor_overwritten(path: Path) -> None:
    saved(path, snapshot(a=1))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE learned SET format = ?", (FORMAT + 1,))
    told: list[str] = []
    assert LearnedStore(path, warn=told.append).load() == Snapshot()
    assert told == [f"{path}: 1 entries are ignored, because they were written by a newer scrimp"]
    saved(path, snapshot(a=2))
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT format FROM learned ORDER BY format").fetchall()
    assert found == [(FORMAT,), (FORMAT + 1,)]


def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's database"):
        LearnedStore(path).load()
    with pytest.raises(StoreError, match="another program's database"):
        LearnedStore(path).save(snapshot(a=1), now=1).result()
    assert path.read_bytes() == before
