"""What `scrimp.Carry` cleared, for the process after this one: a file in scrimp's home folder."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from scrimp.errors import InputError, StoreError
from scrimp.home import scrimp_home
from scrimp.stores.offload import Kept, Kind, Retention
from scrimp.stores.offload_sqlite import SqliteOffload

__all__ = ["CARRY_FILE", "HomeCuts"]

CARRY_FILE = "carry.sqlite"

_AN_HOUR = Retention(days=1 / 24 / 3, most_bytes=2**26)
"""All but texts are kept three times as long: no entry of the provider's cache lives longer than an hour."""

_BUSY_SECONDS = 0.2

_stores: dict[tuple[Path, int], SqliteOffload] = {}
_lock = threading.Lock()


class HomeCuts:
    """Cuts of one `owner`, by what their conversations are known by; what cannot be kept is forgotten."""

    def __init__(self, owner: str = "") -> None:
        self._owner = owner.encode("utf-8", "surrogatepass")

    def keep(self, key: bytes, kept: bytes) -> None:
        """See `core.carry.talks.CutStore`."""
        with suppress(StoreError, InputError):
            _store().put_soon([Kept(self._named(key), Kind.CUT, kept)], time.time())

    def find(self, key: bytes) -> bytes | None:
        """See `core.carry.talks.CutStore`."""
        name = self._named(key)
        with suppress(StoreError, InputError):
            return _store().get([name], time.time()).get(name)
        return None

    def close(self) -> None:
        """Write what is to be written, whoever's it is."""
        with suppress(InputError):
            _store().close()
            with _lock:
                _stores.clear()

    def _named(self, key: bytes) -> bytes:
        return blake2b(self._owner + b"\0" + key, digest_size=16).digest()


def _store() -> SqliteOffload:
    """The file of this process's home folder, opened once; a fork opens it anew."""
    path = scrimp_home(create=True) / CARRY_FILE
    with _lock:
        found = _stores.get((path, os.getpid()))
        if found is None:
            found = _stores[path, os.getpid()] = SqliteOffload(path, _AN_HOUR, busy_seconds=_BUSY_SECONDS)
        return found
