"""Virtual keys: shown once, kept as a digest, dead everywhere within a second of being revoked."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scrimp.errors import InputError, StoreError
from scrimp.stores.keys import Key, KeyStore, home_keys

KEY = Key(name="ci", user="u", team="t", task_type="review", mode="observe", upstream="eu", created_at=5.0)

CHILD = """
import sys
from scrimp.stores.keys import Key, KeyStore
store = KeyStore(sys.argv[1])
print(*(store.create(Key(name=f"{sys.argv[2]}-{n}")) for n in range(20)))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.sqlite"


class Seconds:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_secret_finds_its_key_and_nothing_else_does(path: Path) -> None:
    store = KeyStore(path)
    secret = store.create(KEY)
    assert store.find(secret) == KEY
    for other in ("", "ci", secret[:-1], f"{secret}0", secret.upper(), f" {secret}", "\udcff", "scrimp-"):
        assert store.find(other) is None


def test_secrets_are_256_random_bits_with_a_prefix(path: Path) -> None:
    store = KeyStore(path)
    secrets = [store.create(Key(name=f"k{n}")) for n in range(200)]
    bits = [bytes.fromhex(secret.removeprefix("scrimp-")) for secret in secrets]
    assert {len(one) for one in bits} == {32}
    assert len(set(bits)) == 200
    ones = sum(int.from_bytes(one).bit_count() for one in bits)
    assert abs(ones - 200 * 128) < 6 * (200 * 64) ** 0.5  # six standard deviations of fair coins


def test_the_file_holds_the_digest_for_its_owner_alone(path: Path) -> None:
    secret = KeyStore(path).create(KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert secret.encode() not in kept
    assert secret.removeprefix("scrimp-").encode() not in kept
    assert bytes.fromhex(secret.removeprefix("scrimp-")) not in kept
    assert hashlib.sha256(secret.encode()).digest() in kept


def test_a_revoked_key_is_dead_in_another_process_within_a_second(path: Path) -> None:
    clock = Seconds()
    admin, gateway = KeyStore(path), KeyStore(path, clock=clock)
    secret, other = admin.create(KEY), admin.create(Key(name="other"))
    assert gateway.find(secret) == KEY
    assert admin.revoke("ci", 9.0) == Key(
        name="ci",
        user="u",
        team="t",
        task_type="review",
        mode="observe",
        upstream="eu",
        created_at=5.0,
        revoked_at=9.0,
    )
    clock.now = 0.999
    assert gateway.find(secret) is None
    assert gateway.find(other) == Key(name="other")


def test_a_new_key_can_be_used_at_once(path: Path) -> None:
    clock = Seconds()
    admin, gateway = KeyStore(path), KeyStore(path, clock=clock)
    assert gateway.find("scrimp-guess") is None
    secret = admin.create(KEY)
    clock.now = 0.03
    assert gateway.find(secret) == KEY


def test_between_two_looks_nothing_is_read_and_a_damaged_file_opens_nothing(path: Path) -> None:
    clock, told = Seconds(), list[str]()
    store = KeyStore(path, clock=clock, warn=told.append)
    secret = store.create(KEY)
    assert store.find(secret) == KEY
    store.close()
    path.write_bytes(b"no database any more, and longer than a hundred bytes" * 20)
    assert store.find(secret) == KEY
    clock.now = 1.0
    assert store.find(secret) is None
    [line] = told
    assert "was damaged: it is kept as" in line


def test_a_file_that_was_replaced_is_read_anew(path: Path, tmp_path: Path) -> None:
    clock = Seconds()
    store = KeyStore(path, clock=clock)
    secret = store.create(KEY)
    assert store.find(secret) == KEY
    store.close()
    for file in path.parent.glob("keys.sqlite*"):
        file.unlink()
    clock.now = 1.0
    assert store.find(secret) is None
    clock.now = 2.0
    again = KeyStore(path).create(KEY)
    assert store.find(again) == KEY


def test_names_are_unique_among_keys_in_force(path: Path) -> None:
    store = KeyStore(path)
    first = store.create(KEY)
    with pytest.raises(InputError, match="there is a key 'ci' already"):
        store.create(Key(name="ci"))
    with pytest.raises(InputError, match="already"):
        store.check("ci")
    store.revoke("ci", 7.0)
    store.check("ci")
    second = store.create(Key(name="ci", created_at=8.0))
    fresh = KeyStore(path)
    assert fresh.find(first) is None
    assert fresh.find(second) == Key(name="ci", created_at=8.0)
    assert [(key.name, key.revoked_at) for key in fresh.all()] == [("ci", 7.0), ("ci", None)]


@pytest.mark.parametrize("name", ["", "*", "a/b", "a:b", "-x", ".", "ä", "a b", "x" * 65, "a\n"])
def test_names_can_stand_in_a_scope(path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a key"):
        KeyStore(path).create(Key(name=name))
    assert not path.exists()


def test_nobody_to_revoke(path: Path) -> None:
    store = KeyStore(path)
    assert store.revoke("ci", 1.0) is None
    assert not path.exists()
    store.create(KEY)
    assert store.revoke("other", 1.0) is None
    assert store.revoke("ci", 1.0) is not None
    assert store.revoke("ci", 2.0) is None


def test_without_a_key_no_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    store = home_keys()
    assert store.find("scrimp-x") is None
    assert store.all() == []
    assert not (tmp_path / "home").exists()


def test_processes_create_keys_side_by_side(path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, path, name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    secrets = [secret for child in children for secret in child.communicate()[0].split()]
    store = KeyStore(path)
    found = {key.name for secret in secrets if (key := store.find(secret))}
    assert found == {f"{name}-{n}" for name in ("a", "b") for n in range(20)}


def test_a_store_survives_a_fork(path: Path) -> None:
    store = KeyStore(path)
    secret = store.create(KEY)
    child = os.fork()
    if child == 0:
        os._exit(0 if KeyStore(path).find(secret) == KEY == store.find(secret) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.find(secret) == KEY


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program's database"):
        KeyStore(path).create(KEY)
