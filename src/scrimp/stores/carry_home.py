"""What `scrimp.Carry` cleared, for the process after this one: a file in scrimp's home folder."""

from __future__ import annotations

import os
import time
from hashlib import blake2b

from scrimp.errors import InputError, StoreError
from scrimp.home import scrimp_home
from scrimp.stores.offload import Kept, Kind, Retention
from scrimp.stores.offload_sqlite import SqliteOffload

__all__ = ["CARRY_FILE", "HomeCuts"]

CARRY_FILE = "carry.sqlite"

_AN_HOUR = Retention(days=1 / 24 / 3, most_bytes=2**26)
"""All but texts are kept three times as long: no entry of the provider's cache lives longer than an hour."""

_BUSY_SECONDS = 0.2


class HomeCuts:
    """Cuts of one `owner`, by what their conversations are known by; what cannot be kept is forgotten."""

    def __init__(self, owner: str = "") -> None:
        self._owner = owner.encode("utf-8", "surrogatepass")
        self._opened: tuple[int, SqliteOffload] | None = None

    def keep(self, key: bytes, kept: bytes) -> None:
        """See `core.carry.talks.CutStore`."""
        try:
            self._store().put_soon([Kept(self._named(key), Kind.CUT, kept)], time.time())
        except (StoreError, InputError):
            return  # as without a store

    def find(self, key: bytes) -> bytes | None:
        """See `core.carry.talks.CutStore`."""
        name = self._named(key)
        try:
            return self._store().get([name], time.time()).get(name)
        except (StoreError, InputError):
            return None

    def close(self) -> None:
        """Write what is to be written."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _named(self, key: bytes) -> bytes:
        return blake2b(self._owner + b"\0" + key, digest_size=16).digest()

    def _store(self) -> SqliteOffload:
        """The file as this process has it open: a fork opens it anew."""
        if self._opened is None or self._opened[0] != os.getpid():
            path = scrimp_home(create=True) / CARRY_FILE
            self._opened = os.getpid(), SqliteOffload(path, _AN_HOUR, busy_seconds=_BUSY_SECONDS)
        return self._opened[1]
