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
_MOST_BYTES = 1024 * 1024 * 1024
_LOOK_EVERY = 256
"""Calls between two looks at how much all of them remember."""

_Account = tuple[str, bytes]


class Offices:
    """Makes an office where there is none yet; of more than 256 the one used longest ago is let go.

    So it is where they remember more than `most_bytes` together. Anybody can make up a key, so accounts that
    no answer has proved are apart from the others, and few.
    """

    def __init__(self, make: Callable[[bytes], Office], *, most_bytes: int = _MOST_BYTES) -> None:
        """`make` is given what tells the account from others, which is no secret."""
        self._make = make
        self._most_bytes = most_bytes
        self._calls = 0
        self._offices: dict[_Account, Office] = {}
        self._new: dict[_Account, Office] = {}
        self._lock = threading.Lock()

    def of(self, caller: Caller) -> Office:
        """The office of the account that pays. The secret itself is not kept."""
        account = caller.paying
        self._lock.acquire()  # `with` takes three times as long
        try:
            self._calls += 1
            if self._calls % _LOOK_EVERY == 0:
                self._lighten()
            found = self._offices.pop(account, None)
            if found is not None:
                self._offices[account] = found
                return found
            found = self._new.get(account) or self._made(account)
            if caller.key is None:
                _put(self._new, account, found, _MOST_NEW)
            else:  # the account is ours
                _put(self._offices, account, found, _MOST)
        finally:
            self._lock.release()
        return found

    def _lighten(self) -> None:
        """Let go of those used longest ago, unproved ones first, while too much is remembered."""
        whole = sum(office.weight for each in (self._new, self._offices) for office in each.values())
        for offices in (self._new, self._offices):
            for account in list(offices)[:-1]:
                if whole <= self._most_bytes:
                    return
                whole -= offices.pop(account).weight

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
