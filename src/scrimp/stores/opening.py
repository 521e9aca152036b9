"""The ledger in scrimp's home folder, opened once per process when it is first needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from scrimp.home import scrimp_home
from scrimp.stores.ledger import Ledger
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["LEDGER_FILE", "home_ledger"]

LEDGER_FILE = "ledger.sqlite"

_opened: dict[tuple[Path, int], Ledger] = {}
_lock = threading.Lock()


def home_ledger(told: Callable[[str], None]) -> Ledger:
    """The ledger of this process's home folder; `told` hears of a damaged file that was set aside.

    Raises `StoreError` or `InputError` when the folder or the file cannot be used.
    """
    path = scrimp_home(create=True) / LEDGER_FILE
    with _lock:
        found = _opened.get((path, os.getpid()))
        if found is None:
            found = _opened[path, os.getpid()] = SqliteLedger(path, warn=told)
        return found
