"""The offloaded texts of scrimp's home folder, the file opened once per process when first needed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from scrimp.home import scrimp_home
from scrimp.stores.appending import Warn
from scrimp.stores.offload import OffloadStore, Retention
from scrimp.stores.offload_sqlite import SqliteOffload

__all__ = ["OFFLOAD_FILE", "home_offload"]

OFFLOAD_FILE = "offload.sqlite"

_BUSY_SECONDS = 1.0
"""Calls wait for what they keep: rather whole than late."""

_stores: dict[tuple[Path, int, Retention], OffloadStore] = {}
_lock = threading.Lock()


def home_offload(retention: Retention, told: Warn | None = None) -> OffloadStore:
    """The store of this process's home folder; `told` hears of a damaged file that was set aside.

    Raises `StoreError` or `InputError` when the folder cannot be used.
    """
    path = scrimp_home(create=True) / OFFLOAD_FILE
    with _lock:
        found = _stores.get((path, os.getpid(), retention))
        if found is None:
            found = _stores[path, os.getpid(), retention] = SqliteOffload(
                path, retention, busy_seconds=_BUSY_SECONDS, warn=told
            )
        return found
