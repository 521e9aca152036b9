"""Virtual keys: who may call through a gateway, whose money they spend, and which upstream key pays.

A secret is 256 random bits and is shown once. What is kept is its SHA-256: nobody can guess 256 bits, so the
slow hash that passwords need would protect nothing here, and would cost every call its time. A key is looked
up by that digest: how long a comparison takes tells nothing of a secret, because nobody can choose digests.
A process remembers the secrets that opened something for as long as they do; those it finds by Python's own
hash, which is keyed at random and so tells as little.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from scrimp.core.plan import Mode
from scrimp.errors import InputError
from scrimp.home import scrimp_home
from scrimp.stores.database import BUSY_SECONDS, Database
from scrimp.stores.forking import survive_forks
from scrimp.stores.keys_schema import INSERT, KEYS, REVOKE, SELECT

__all__ = ["KEYS_FILE", "SECRET_PREFIX", "Key", "KeyStore", "Keys", "home_keys"]

KEYS_FILE = "keys.sqlite"

SECRET_PREFIX = "scrimp-"  # noqa: S105 - how secrets begin, not one of them
"""How every secret begins: what begins so is never an upstream's key."""

_SECRET_BYTES = 32
_GENERATION_BYTES = 16
_LOOK_EVERY = 0.5
"""Seconds: a key that was revoked elsewhere is dead here after that."""

_LOOK_AGAIN = 0.02
"""Seconds after which a secret that is not known may be that of a new key; guesses cost no more than that."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key but its secret. `name` is what its budget and its calls are found by.

    Calls count for `user`, `team` and `task_type`, are planned in `mode` and paid by the key of `upstream`;
    None: as the gateway is set. Times in epoch seconds.
    """

    name: str
    user: str | None = None
    team: str | None = None
    task_type: str | None = None
    mode: Mode | None = None
    upstream: str | None = None
    created_at: float = 0.0
    revoked_at: float | None = None


class Keys(Protocol):
    """Tells whose a secret is."""

    def find(self, secret: str) -> Key | None:
        """The key of a secret, unless it was revoked. Raises `StoreError` where that cannot be told."""
        ...


class _InForce(NamedTuple):
    """The keys of one generation of the file, by digest, and those that this process was shown, by what it
    was shown: hashing that for every call takes longer than all else about a key."""

    known: dict[bytes, Key]
    met: dict[str, Key]


class KeyStore:
    """Keys in the file at `path`; threads and processes may share it. Methods raise `StoreError`.

    `clock` counts seconds and never goes back. `warn` hears of a damaged file that was set aside: its keys
    open nothing any more.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_seconds: float = BUSY_SECONDS,
        warn: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._warn = warn
        self._database = Database(self._path, KEYS, busy_seconds=busy_seconds)
        self._lock = threading.Lock()
        self._in_force = _InForce({}, {})
        self._generation = b""
        self._looked_at: float | None = None
        survive_forks(self)

    def create(self, key: Key) -> str:
        """Add a key and return its secret, which cannot be had again.

        Raises `InputError` for a name that cannot be one, or that a key in force has.
        """
        _check_name(key.name)
        secret = SECRET_PREFIX + secrets.token_hex(_SECRET_BYTES)

        def work(db: sqlite3.Connection) -> None:
            _check_free(db, key.name)
            db.execute(INSERT, {"digest": _digest(secret), **msgspec.structs.asdict(key)})
            _renew(db)

        self._database.write(work)
        return secret

    def check(self, name: str) -> None:
        """Raises `InputError` where `create` would."""
        _check_name(name)
        if self._path.exists():
            self._database.read(lambda db: _check_free(db, name))

    def revoke(self, name: str, at: float) -> Key | None:
        """End the key of that name for good; None where none is in force."""

        def work(db: sqlite3.Connection) -> Key | None:
            changed = db.execute(REVOKE, (at, name)).fetchall()
            _renew(db)
            return _key(changed[0]) if changed else None

        return self._database.write(work) if self._path.exists() else None

    def all(self) -> list[Key]:
        """Every key there ever was, as they were created."""
        if not self._path.exists():
            return []
        return [key for _, key in self._database.read(_select)]

    def find(self, secret: str) -> Key | None:
        """The key of a secret, unless it was revoked; a change made elsewhere is seen within a second."""
        now, last = self._clock(), self._looked_at
        if last is None or not 0.0 <= now - last < _LOOK_EVERY:  # every call asks
            self._look(now, after=_LOOK_EVERY)
        key = self._in_force.met.get(secret)
        return self._looked_up(secret, now) if key is None else key

    def close(self) -> None:
        """Close the file; a later use opens it again."""
        self._database.close()

    def pause(self) -> None:
        """See `forking.Forkable`."""
        self._database.pause()

    def resume(self) -> None:
        """See `forking.Forkable`."""
        self._database.resume()

    def restart(self) -> None:
        """See `forking.Forkable`."""
        self._lock = threading.Lock()
        self._database.resume()

    def _looked_up(self, secret: str, now: float) -> Key | None:
        digest = _digest(secret)
        if digest not in self._in_force.known:
            self._look(now, after=_LOOK_AGAIN)
        keys = self._in_force  # these, which another thread may have replaced by now
        key = keys.known.get(digest)
        if key is not None:
            keys.met[secret] = key
        return key

    def _look(self, now: float, *, after: float) -> None:
        """Read what changed, unless that was done less than `after` seconds ago."""
        if self._looked_at is not None and 0.0 <= now - self._looked_at < after:
            return
        with self._lock:
            if self._path.exists():
                generation, found = self._database.read(self._changed)
                if generation != self._generation:
                    known = {digest: key for digest, key in found if key.revoked_at is None}
                    self._in_force = _InForce(known, {})
                    self._generation = generation
            else:
                self._in_force, self._generation = _InForce({}, {}), b""
            self._looked_at = now
        for line in self._database.news():
            if self._warn is not None:
                self._warn(line)

    def _changed(self, db: sqlite3.Connection) -> tuple[bytes, list[tuple[bytes, Key]]]:
        """The generation, and every key where it is a new one."""
        [generation] = db.execute("SELECT token FROM generation").fetchone()
        return generation, [] if generation == self._generation else _select(db)


def home_keys(warn: Callable[[str], None] | None = None) -> KeyStore:
    """The keys of scrimp's home folder. Nothing is created before there is a key."""
    return KeyStore(scrimp_home() / KEYS_FILE, warn=warn)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot name a key: letters, digits, '.', '_' and '-', 64 at most")


def _check_free(db: sqlite3.Connection, name: str) -> None:
    if db.execute("SELECT 1 FROM keys WHERE name = ? AND revoked_at IS NULL", (name,)).fetchone():
        raise InputError(f"there is a key {name!r} already: revoke it first, or take another name")


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _renew(db: sqlite3.Connection) -> None:
    """Let everybody see that something changed: `data_version` would begin anew with each connection."""
    db.execute("UPDATE generation SET token = ?", (secrets.token_bytes(_GENERATION_BYTES),))


def _select(db: sqlite3.Connection) -> list[tuple[bytes, Key]]:
    return [(row[0], _key(row)) for row in db.execute(SELECT)]


def _key(row: Sequence[object]) -> Key:
    return msgspec.convert(dict(zip(Key.__struct_fields__, row[1:], strict=True)), Key)
