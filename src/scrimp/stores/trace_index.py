"""What is known of recordings that were read before, in one file of scrimp's home: a second look is instant.

For each file: its state, what was read of it (counts of tokens and ids, never a prompt's text), and that
priced by the facts of one day. The file is replaced as a whole, so that processes never see half of it; of
two that write at once the last one wins, and what the other read is read again. A damaged file, or one of
another version, is as good as none.
"""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path

import msgspec

__all__ = ["INDEX_FILE", "Entry", "State", "TraceIndex", "load_index", "save_index", "state_of"]

INDEX_FILE = "trace_index.msgpack"
_VERSION = 1
_ANSWERS_KEPT = 8


class State(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What tells whether a file has changed: bytes, when it did (ns since the epoch), number."""

    size: int
    mtime_ns: int
    inode: int


def state_of(status: os.stat_result) -> State:
    """The state of a file by what the system says of it."""
    return State(status.st_size, status.st_mtime_ns, status.st_ino)


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file as it was in a state: packed, because most questions need only a part of most of them.

    `read` is all that was read, `ids` name its calls, `cells` are its sums. `faults` say in one line each
    what could not be read.
    """

    state: State
    read: bytes
    ids: bytes
    cells: bytes
    faults: tuple[str, ...] = ()


class TraceIndex(msgspec.Struct, array_like=True):
    """Entries by path, and the last answers by what they answer.

    `prices` names the facts that sums were priced by: by other facts they are priced anew.
    """

    version: int = _VERSION
    prices: bytes = b""
    entries: dict[str, Entry] = {}
    answers: dict[bytes, bytes] = {}

    def remember(self, question: bytes, answer: bytes) -> None:
        """Keep an answer, and the newest few of the others."""
        self.answers.pop(question, None)
        for oldest in list(self.answers)[: 1 - _ANSWERS_KEPT]:
            del self.answers[oldest]
        self.answers[question] = answer

    def forget_deleted(self, there: Container[str]) -> None:
        """Drop entries of files that are gone; those in `there` are not looked for."""
        gone = [path for path in self.entries if path not in there and not os.path.lexists(path)]
        for path in gone:
            del self.entries[path]


_packed = msgspec.msgpack.Decoder(TraceIndex)


def load_index(home: Path) -> TraceIndex:
    """The index in a folder; an empty one where there is none that can be used."""
    try:
        index = _packed.decode((home / INDEX_FILE).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return TraceIndex()
    return index if index.version == _VERSION else TraceIndex()


def save_index(home: Path, index: TraceIndex) -> None:
    """Replace the index of a folder. Raises OSError where that cannot be done: the old one is still there."""
    data = msgspec.msgpack.encode(index)
    new = home / f".{INDEX_FILE}.{os.urandom(6).hex()}"
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        new.replace(home / INDEX_FILE)
    except OSError:
        new.unlink(missing_ok=True)
        raise
