"""An office for each account: what one workspace's cache holds says nothing about another's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import blake2b

from scrimp.gateway.callers import Caller
from scrimp.office.office import Office

__all__ = ["Offices"]

_MOST = 256


class Offices:
    """Makes an office where there is none yet; of more than 256 the one used longest ago is let go."""

    def __init__(self, make: Callable[[], Office]) -> None:
        self._make = make
        self._offices: dict[tuple[str, bytes], Office] = {}
        self._lock = threading.Lock()

    def of(self, caller: Caller) -> Office:
        """The office of the account that pays. The secret itself is not kept."""
        account = caller.upstream, blake2b(caller.account.encode("utf-8", "replace"), digest_size=16).digest()
        with self._lock:
            found = self._offices.pop(account, None) or self._make()
            self._offices[account] = found
            if len(self._offices) > _MOST:
                del self._offices[next(iter(self._offices))]
        return found

    def close(self) -> None:
        """What they have learned is kept."""
        with self._lock:
            self._offices.clear()
