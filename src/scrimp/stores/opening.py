"""The stores in scrimp's home folder, each opened once per process when first needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from scrimp.home import scrimp_home
from scrimp.stores.capture import Capture
from scrimp.stores.learned import LearnedStore
from scrimp.stores.ledger import Ledger
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["CAPTURE_FILE", "LEARNED_FILE", "LEDGER_FILE", "home_capture", "home_learned", "home_ledger"]

LEDGER_FILE = "ledger.sqlite"
CAPTURE_FILE = "capture.sqlite"
LEARNED_FILE = "learned.sqlite"

_ledgers: dict[tuple[Path, int], Ledger] = {}
_captures: dict[tuple[Path, int], Capture] = {}
_learned: dict[tuple[Path, int], LearnedStore] = {}
_lock = threading.Lock()


def home_ledger(told: Callable[[str], None]) -> Ledger:
    """The ledger of this process's home folder; `told` hears of a damaged file that was set aside.

    Raises `StoreError` or `InputError` when the folder or the file cannot be used.
    """
    path = scrimp_home(create=True) / LEDGER_FILE
    with _lock:
        found = _ledgers.get((path, os.getpid()))
        if found is None:
            found = _ledgers[path, os.getpid()] = SqliteLedger(path, warn=told)
        return found


def home_capture(told: Callable[[str], None]) -> Capture:
    """The captured exchanges of this process's home folder; as `home_ledger`."""
    path = scrimp_home(create=True) / CAPTURE_FILE
    with _lock:
        found = _captures.get((path, os.getpid()))
        if found is None:
            found = _captures[path, os.getpid()] = Capture(path, warn=told)
        return found


def home_learned(told: Callable[[str], None]) -> LearnedStore:
    """What workspaces have learned, in this process's home folder; as `home_ledger`.

    Nothing is created before there is something to keep.
    """
    path = scrimp_home() / LEARNED_FILE
    with _lock:
        found = _learned.get((path, os.getpid()))
        if found is None:
            found = _learned[path, os.getpid()] = LearnedStore(path, warn=told)
        return found
