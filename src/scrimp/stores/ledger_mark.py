"""Whether two processes write to the same ledger, told without saying where it is."""

from __future__ import annotations

import socket
from hashlib import blake2b

from scrimp.errors import InputError, StoreError
from scrimp.home import scrimp_home
from scrimp.stores.opening import LEDGER_FILE

__all__ = ["home_ledger_mark"]

_BYTES = 16


def home_ledger_mark() -> str | None:
    """A digest of machine and file of this process's ledger, in hex; None where there is no telling.

    The number of the file is part of it, because containers may share names of machines and of folders.
    """
    try:
        path = (scrimp_home() / LEDGER_FILE).resolve()
        number = path.stat().st_ino if path.exists() else 0
    except (InputError, StoreError, OSError):
        return None
    said = f"{socket.gethostname()}\0{path}\0{number}"
    return blake2b(said.encode(errors="surrogateescape"), digest_size=_BYTES).hexdigest()
