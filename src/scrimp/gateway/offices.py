"""An office for each account: what one workspace's cache holds says nothing about another's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import blake2b

from scrimp.gateway.callers import Caller
from scrimp.office.office import Office

__all__ = ["Offices"]

_MOST = 256
_MOST_NEW = 16

_Account = tuple[str, bytes]


class Offices:
    """Makes an office where there is none yet; of more than 256 the one used longest ago is let go.

    Anybody can make up a key, so accounts that no answer has proved are apart from the others, and few.
    """

    def __init__(self, make: Callable[[bytes], Office]) -> None:
        """`make` is given what tells the account from others, which is no secret."""
        self._make = make
        self._offices: dict[_Account, Office] = {}
        self._new: dict[_Account, Office] = {}
        self._lock = threading.Lock()

    def of(self, caller: Caller) -> Office:
        """The office of the account that pays. The secret itself is not kept."""
        account = caller.paying
        with self._lock:
            found = self._offices.pop(account, None)
            if found is not None:
                self._offices[account] = found
                return found
            found = self._new.get(account) or self._made(account)
            if caller.key is None:
                _put(self._new, account, found, _MOST_NEW)
            else:  # the account is ours
                _put(self._offices, account, found, _MOST)
        return found

    def _made(self, account: _Account) -> Office:
        name = blake2b(account[0].encode(), key=account[1], digest_size=16).digest()
        office = self._make(name)
        office.account = name
        return office

    def proved(self, caller: Caller, office: Office) -> None:
        """The upstream knows this account: it took a call of it."""
        if not self._new:
            return
        account = caller.paying
        with self._lock:
            if account not in self._offices:
                self._new.pop(account, None)
                _put(self._offices, account, office, _MOST)

    def close(self) -> None:
        """What they have learned is kept."""
        with self._lock:
            self._offices.clear()
            self._new.clear()


def _put(offices: dict[_Account, Office], account: _Account, office: Office, most: int) -> None:
    offices.pop(account, None)
    offices[account] = office
    if len(offices) > most:
        del offices[next(iter(offices))]
