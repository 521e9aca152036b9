"""Every offload store: what is kept is found as it was, until it is too old or too much."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrimp.errors import StoreError
from scrimp.stores.offload import Kept, Kind, OffloadStore, Retention
from scrimp.stores.offload_home import OFFLOAD_FILE, home_offload
from scrimp.stores.offload_keeping import Keeper
from scrimp.stores.offload_memory import MemoryOffload
from scrimp.stores.offload_sqlite import SqliteOffload

DAY = 86_400.0
NOON = 1_795_000_000.0

Make = Callable[[Retention], OffloadStore]


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return MemoryOffload
    return lambda retention: SqliteOffload(tmp_path / "offload.sqlite", retention)


def key(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()


def kept(name: str, kind: Kind = Kind.TEXT, data: bytes | None = None) -> Kept:
    return Kept(key(name), kind, os.urandom(1_000) if data is None else data)


def names(store: OffloadStore, now: float, *asked: str) -> list[str]:
    found = store.get([key(name) for name in asked], now)
    return [name for name in asked if key(name) in found]


def test_what_was_put_comes_back_as_it_was(make: Make) -> None:
    store = make(Retention())
    assert store.get([key("a")], NOON) == {}
    store.put(
        [kept("a", data=b"one"), kept("b", Kind.CUT, b""), kept("c", Kind.TURN, bytes(range(256)))], NOON
    )
    assert store.get([key("c"), key("none"), key("a"), key("b")], NOON) == {
        key("a"): b"one",
        key("b"): b"",
        key("c"): bytes(range(256)),
    }
    assert store.get([], NOON) == {}
    store.close()


def test_what_is_known_stays_as_it_is(make: Make) -> None:
    store = make(Retention())
    store.put([kept("a", data=b"first")], NOON)
    store.put([kept("a", data=b"second")], NOON)
    assert store.get([key("a")], NOON) == {key("a"): b"first"}
    store.close()


def test_texts_are_kept_for_their_days_and_all_else_three_times_as_long(make: Make) -> None:
    store = make(Retention(days=10))
    store.put([kept("text"), kept("cut", Kind.CUT), kept("root", Kind.ROOT), kept("turn", Kind.TURN)], NOON)
    assert names(store, NOON + 10 * DAY, "text") == ["text"]
    store.put([kept("again"), kept("old")], NOON)
    later = NOON + 20.5 * DAY
    assert names(store, later, "text", "old", "cut", "root", "turn") == ["cut", "root", "turn"]
    store.close()


def test_what_is_needed_again_stays_longer(make: Make) -> None:
    store = make(Retention(days=10))
    store.put([kept("found"), kept("put"), kept("left")], NOON)
    later = NOON + 8 * DAY
    assert names(store, later, "found") == ["found"]
    store.put([kept("put")], later)
    assert names(store, NOON + 17 * DAY, "found", "put", "left") == ["found", "put"]
    store.close()


def test_beyond_its_size_the_oldest_texts_go_first_and_then_all_else(make: Make) -> None:
    store = make(Retention(most_bytes=5_200))
    store.put([kept("cut", Kind.CUT)], NOON - 5)
    for at, name in enumerate("abcd"):
        store.put([kept(name)], NOON + at)
    assert names(store, NOON + 9, *"abcd") == [*"abcd"]
    store.put([kept("e")], NOON + 10)
    assert names(store, NOON + 11, *"abcde", "cut") == [*"bcde", "cut"]
    store.put([kept("big", Kind.TURN, os.urandom(4_800))], NOON + 12)
    assert names(store, NOON + 13, *"abcde", "cut", "big") == ["big"]
    store.close()


def test_more_than_all_is_refused_and_nothing_is_lost(make: Make) -> None:
    store = make(Retention(most_bytes=3_000))
    store.put([kept("a")], NOON)
    with pytest.raises(StoreError, match="3,000 bytes"):
        store.put([kept("huge", data=os.urandom(3_500))], NOON)
    store.put_soon([kept("huge", data=os.urandom(3_500))], NOON)
    assert names(store, NOON, "a", "huge") == ["a"]
    store.close()


def test_what_is_put_soon_is_there_once_the_store_is_closed(tmp_path: Path) -> None:
    store = SqliteOffload(tmp_path / "o.sqlite")
    store.put_soon([kept("a", data=b"soon")], NOON)
    store.close()
    again = SqliteOffload(tmp_path / "o.sqlite")
    assert again.get([key("a")], NOON) == {key("a"): b"soon"}
    again.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    puts=st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"),
            st.sampled_from(list(Kind)),
            st.integers(0, 900),
            st.integers(0, 3 * 86_400),
        ),
        max_size=25,
    )
)
def test_both_stores_keep_the_same(puts: list[tuple[str, Kind, int, int]], tmp_path: Path) -> None:
    """Sizes are of what cannot be compressed, up to some bytes."""
    path = tmp_path / f"{os.urandom(6).hex()}.sqlite"
    retention = Retention(days=2, most_bytes=10**9)
    stores: list[OffloadStore] = [MemoryOffload(retention), SqliteOffload(path, retention)]
    now = NOON
    data = {name: os.urandom(900) for name in "abcdefgh"}
    for name, kind, size, after in puts:
        now += after
        for store in stores:
            store.put([kept(name, kind, data[name][:size])], now)
        found = [store.get([key(one) for one in "abcdefgh"], now) for store in stores]
        assert found[0] == found[1]
    stores[1].close()


def test_the_file_is_its_owners_alone_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "new" / "offload.sqlite"
    store = SqliteOffload(path)
    assert not path.exists()
    assert store.get([key("a")], NOON) == {}
    assert not path.exists()
    store.put([kept("a", data=b"text")], NOON)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.close()
    assert SqliteOffload(path).get([key("a")], NOON) == {key("a"): b"text"}


def test_its_size_is_counted_right(tmp_path: Path) -> None:
    path = tmp_path / "offload.sqlite"
    store = SqliteOffload(path, Retention(days=1, most_bytes=20_000))
    for at in range(60):
        store.put([kept(f"n{at % 40}", list(Kind)[at % 4])], NOON + at * DAY / 8)
    store.close()
    with sqlite3.connect(path) as db:
        counted = db.execute("SELECT size FROM total").fetchone()
        summed = db.execute("SELECT sum(length(data)) FROM kept").fetchone()
    db.close()
    assert counted == summed
    assert 0 < counted[0] <= 20_000


def test_a_damaged_file_is_set_aside_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "offload.sqlite"
    path.write_bytes(b"no database at all" * 100)
    told: list[str] = []
    store = SqliteOffload(path, warn=told.append)
    store.put([kept("a", data=b"text")], NOON)
    assert store.get([key("a")], NOON) == {key("a"): b"text"}
    assert len(told) == 1
    store.close()


def test_the_store_of_the_home_folder_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    store = home_offload(Retention())
    assert home_offload(Retention()) is store
    store.put([kept("a", data=b"text")], NOON)
    assert (tmp_path / "home" / OFFLOAD_FILE).exists()
    store.close()


def test_a_keeper_tells_each_fault_once_and_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    keeper = Keeper(SqliteOffload(blocked / "offload.sqlite"), clock=lambda: NOON)
    assert not keeper.put(kept("a"))
    assert not keeper.put(kept("a"))
    assert not keeper.works
    told = keeper.faults()
    assert len(told) == 1
    assert "left whole" in told[0]
    assert keeper.faults() == ()
    with pytest.raises(StoreError):
        Keeper(Broken(), clock=lambda: NOON).text("a" * 16, "")


class Broken:
    """A store that does nothing but fail."""

    def put(self, kept: object, now: float) -> None:
        raise StoreError("disk full")

    def put_soon(self, kept: object, now: float) -> None:
        raise StoreError("disk full")

    def get(self, keys: object, now: float) -> dict[bytes, bytes]:
        raise StoreError("disk full")

    def close(self) -> None:
        raise StoreError("disk full")
