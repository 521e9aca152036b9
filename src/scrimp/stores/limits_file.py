"""The limits of a ledger, in a small file of their own beside it.

They must not vanish with a ledger that is damaged and set aside, so they are not in it; the file says which
ledger they were set over. Every process looks at the file's inode, size and time, which costs microseconds,
and reads it again when it has changed. It is only ever replaced as a whole.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec

from scrimp.core.budget_terms import Terms
from scrimp.errors import BudgetUnavailable, InputError
from scrimp.stores.budget_limits import Entry, checked, terms_of
from scrimp.stores.forking import survive_forks

__all__ = ["Limits", "LimitsFile", "limits_path"]

CHECK_SECONDS = 0.5
"""How long a caller goes by what the file said before it looks again."""

_OWNER_ONLY = 0o600
_ABOUT = "scrimp's limits: change them with `scrimp budget`"


class Limits:
    """What the file says: the limits, at work, and the identity of the ledger they were set over."""

    def __init__(self, ledger: str = "", entries: tuple[Entry, ...] = ()) -> None:
        self.ledger = ledger
        self.entries = entries
        self.terms: Terms = terms_of(entries)


class _Document(msgspec.Struct, frozen=True):
    """The shape of the file."""

    about: str
    ledger: str
    limits: tuple[Entry, ...]


_NONE = Limits()
_Signature = tuple[int, int, int]


def limits_path(ledger: Path) -> Path:
    """Where the limits of the ledger at `ledger` are."""
    return ledger.with_name(f"{ledger.stem}.limits.json")


class LimitsFile:
    """Reads and replaces the file of limits that belongs to the ledger at `ledger`."""

    def __init__(self, ledger: Path) -> None:
        self.path = limits_path(ledger)
        self._lock = threading.Lock()
        self._signature: _Signature | None = None
        self._found = _NONE
        self._fault: str | None = None
        self._look_again = 0.0
        survive_forks(self)

    def recent(self) -> Limits:
        """The limits as they were half a second ago at most. Raises `BudgetUnavailable`."""
        if monotonic() >= self._look_again or self._fault is not None:
            return self.now()
        return self._found

    def now(self) -> Limits:
        """The limits as they are now. Raises `BudgetUnavailable`."""
        with self._lock:
            try:
                found = self.path.stat()
                signature = (found.st_ino, found.st_size, found.st_mtime_ns)
                if signature != self._signature:
                    self._read(signature)
            except FileNotFoundError:
                self._found, self._signature, self._fault = _NONE, None, None
            except OSError as error:
                self._signature, self._fault = None, f"{error.strerror or error}"
            self._look_again = monotonic() + CHECK_SECONDS
        return self._known()

    def save(self, limits: Limits) -> None:
        """Replace what the file says; durable on return. Only whoever may write to the ledger calls this."""
        document = _Document(_ABOUT, limits.ledger, limits.entries)
        text = json.dumps(msgspec.to_builtins(document), indent=2) + "\n"
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, _OWNER_ONLY), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(self.path.parent)
        self._look_again = 0.0

    def pause(self) -> None:
        """See `forking.Forkable`: a fork waits for nobody here."""

    def resume(self) -> None:
        """See `forking.Forkable`."""

    def restart(self) -> None:
        """See `forking.Forkable`: whoever held the lock stayed with the parent."""
        self._lock = threading.Lock()
        self._signature, self._look_again = None, 0.0

    def _read(self, signature: _Signature) -> None:
        try:
            document = msgspec.json.decode(self.path.read_bytes(), type=_Document)
            for entry in document.limits:
                checked(entry.limit)
            self._found, self._fault = Limits(document.ledger, document.limits), None
        except (msgspec.DecodeError, UnicodeDecodeError, InputError) as error:
            self._fault = f"it is damaged ({error})"
        self._signature = signature

    def _known(self) -> Limits:
        if self._fault is not None:
            raise BudgetUnavailable(
                f"{self.path}: the limits cannot be read: {self._fault}; "
                f"put a copy of the file back, or delete it and set the limits again"
            )
        return self._found


def _sync_folder(folder: Path) -> None:
    """A file that was renamed survives a power cut, where the system can see to it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
