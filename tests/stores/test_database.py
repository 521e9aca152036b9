"""A file of SQLite that several processes begin at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from os import stat_result
from pathlib import Path

import pytest

from scrimp.stores.database import is_cut_short


class Begun(type(Path())):  # type: ignore[misc]  # the path of this system
    """A path whose file another process begins just after it was looked at."""

    def stat(self, *, follow_symlinks: bool = True) -> stat_result:
        found: stat_result = super().stat(follow_symlinks=follow_symlinks)
        if not self.name.endswith("-wal") and not OTHERS:
            other = sqlite3.connect(str(self), isolation_level=None)
            other.execute("PRAGMA journal_mode = WAL")
            other.execute("CREATE TABLE t (x)")
            OTHERS.append(other)
        return found


OTHERS: list[sqlite3.Connection] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OTHERS:
        OTHERS.pop().close()


def test_a_file_that_another_process_is_beginning_is_not_taken_for_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.touch()
    assert not is_cut_short(Begun(path))
    assert OTHERS
    assert path.with_name("a.sqlite-wal").stat().st_size > 0
    assert not is_cut_short(path)


def test_a_file_that_lost_its_pages_is(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (x)")
        for size in (0, 100):
            path.write_bytes(b"\0" * size)
            assert is_cut_short(path)
