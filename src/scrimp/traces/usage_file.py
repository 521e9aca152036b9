"""One recording read for what was billed: from its beginning, or on from where it was read to before.

A file is read in blocks of whole lines, so that memory stays flat whatever its size. Compressed files are
always read from their beginning.
"""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from functools import lru_cache
from hashlib import blake2b
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from scrimp.core.spend import Call, Place
from scrimp.errors import ResponseError
from scrimp.stores.trace_index import State, state_of
from scrimp.traces.files import LONGEST_LINE, TOO_LONG
from scrimp.traces.usage_calls import Calls
from scrimp.traces.usage_lines import Answers, take_each, take_lines

__all__ = ["UsageFile", "UsageReader"]

_BLOCK = 1 << 19
"""Bytes: what is read stays in the processor's cache while it is looked through."""
_TAIL = 1 << 10
_SESSION_AMONG = 50
"""Lines among which one names the session."""

_PACKED = (".gz", ".xz")
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


class _TooLongError(Exception):
    """A line is longer than any line of a recording."""


class UsageFile(msgspec.Struct, array_like=True):
    """What one file says: its calls and the places they belong to.

    It was read up to byte `end`, before which the bytes have the digest `tail`. `fault` names the first line
    (or what else) that could not be read, `more_faults` counts the others. `torn` says that the last line
    breaks off: it is read again when the file has grown.
    """

    path: str
    state: State
    end: int = 0
    tail: bytes = b""
    session: str = ""
    places: list[Place] = []
    calls: list[Call] = []
    fault: str | None = None
    more_faults: int = 0
    torn: str | None = None


class _Named(msgspec.Struct, rename="camel"):
    session_id: str | None = None
    request: msgspec.Raw = msgspec.Raw(b"")


_named = msgspec.json.Decoder(_Named)
_whole = msgspec.json.Decoder(msgspec.Raw)


class UsageReader:
    """Reads one file after the other, through one buffer."""

    def __init__(self) -> None:
        """Take the memory that reading needs."""
        self._buffer = bytearray(_BLOCK)

    def read(self, path: str, before: UsageFile | None = None) -> UsageFile:
        """What a file says; where `before` is its beginning still, only what came after is read.

        Nothing is raised for a file that cannot be read: `fault` says so.
        """
        try:
            with _opened(path) as file:
                return self._read(file, path, state_of(os.fstat(file.fileno())), before)
        except OSError as error:
            return UsageFile(path, State(0, 0, 0), fault=f"cannot be read: {error.strerror or error}")

    def _read(self, file: BinaryIO, path: str, state: State, before: UsageFile | None) -> UsageFile:
        if before is not None and _continues(file, before, state):
            reading = _Reading(file, before, state)
        else:
            session, is_exchange = _beginning(file)
            if is_exchange:
                # Other fields, and far slower to read: most who ask for spending have none of them.
                from scrimp.traces.usage_exchanges import read_exchanges  # noqa: PLC0415  # as said

                return read_exchanges(path, state)
            reading = _Reading(file, UsageFile(path, state, session=session or _stem(path)), state)
        self._take_blocks(reading)
        return reading.closed()

    def _take_blocks(self, reading: _Reading) -> None:
        have, got = 0, 1
        try:
            while got := _fill(reading.file, self._buffer, have):
                end = have + got
                whole = self._buffer.rfind(b"\n", have, end) + 1
                if whole:
                    reading.take(self._buffer, whole)
                    have = end - whole
                    self._buffer[:have] = self._buffer[whole:end]
                else:
                    have = end
                    self._make_room(have)
        except _TooLongError:
            reading.fail(reading.lines_before() + 1, TOO_LONG)
        except (*_DAMAGED, ValueError) as error:
            reading.fail(reading.lines_before() + 1, f"damaged from here on: {error}")
        else:
            reading.take_last(self._buffer, have)

    def _make_room(self, have: int) -> None:
        if have >= LONGEST_LINE:
            raise _TooLongError
        if have == len(self._buffer):
            self._buffer = self._buffer + bytearray(have)


class _Reading:
    """One file while it is read."""

    def __init__(self, file: BinaryIO, before: UsageFile, state: State) -> None:
        self.file = file
        self._found = msgspec.structs.replace(before, state=state, torn=None)
        self._calls = Calls(before.places, before.calls)
        self._project = _project(before.path.rpartition(os.sep)[0])
        file.seek(before.end)

    def take(self, block: bytearray, end: int) -> None:
        """Take whole lines."""
        try:
            self._add(block, end)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ResponseError):
            self._add_each(block, end)
        self._found.end += end

    def take_last(self, block: bytearray, end: int) -> None:
        """Take the last line, which nothing ends: while it is being written it is not whole."""
        if not block[:end].strip():
            return
        try:
            _whole.decode(block[:end])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._found.torn = f"{self.lines_before() + 1}: breaks off in the middle of its last line"
        else:
            self.take(block, end)

    def fail(self, line: int, reason: str) -> None:
        """Note a line that cannot be read; the first one is named, others are counted."""
        if self._found.fault is None:
            self._found.fault = f"{line}: {reason}"
        else:
            self._found.more_faults += 1

    def lines_before(self) -> int:
        """How many lines end before what is taken next; only a fault is worth counting them."""
        left, lines = self._found.end, 0
        with _opened(self._found.path) as file:
            while left and (block := file.read(min(left, _BLOCK))):
                lines += block.count(b"\n")
                left -= len(block)
        return lines

    def closed(self) -> UsageFile:
        """What was found, and where to go on when the file has grown."""
        found = self._found
        found.places, found.calls = list(self._calls.places), list(self._calls.calls.values())
        if not found.state.size:
            found.fault = "is empty"
        if not found.path.endswith(_PACKED):
            found.tail = _tail(self.file, found.end)
        return found

    def _add(self, block: bytearray, end: int) -> None:
        answers: Answers = {}
        take_lines(block, end, answers)
        self._calls.add_answers(answers, project=self._project, session=self._found.session)

    def _add_each(self, block: bytearray, end: int) -> None:
        answers: Answers = {}
        before = self.lines_before()
        for number, reason in take_each(bytes(block[:end]), answers):
            self.fail(before + number, reason)
        self._calls.add_answers(answers, project=self._project, session=self._found.session)


def _continues(file: BinaryIO, before: UsageFile, state: State) -> bool:
    """Whether a file still begins with what was read of it."""
    old = before.state
    if before.path.endswith(_PACKED) or not before.end or state.inode != old.inode or state.size < before.end:
        return False
    return _tail(file, before.end) == before.tail


def _tail(file: BinaryIO, end: int) -> bytes:
    """The digest of the last bytes before `end`: ids and times, so that no other file has the same ones."""
    file.seek(max(0, end - _TAIL))
    return blake2b(file.read(min(end, _TAIL)), digest_size=16).digest()


def _fill(file: BinaryIO, buffer: bytearray, have: int) -> int:
    """One read: where a file breaks off inside its compression, several in one lose what came before."""
    return cast(BufferedReader, file).readinto1(memoryview(buffer)[have:])


def _beginning(file: BinaryIO) -> tuple[str | None, bool]:
    """The session that the first lines name, and whether the file holds exchanges instead."""
    for _ in range(_SESSION_AMONG):
        try:
            named = _named.decode(file.readline(LONGEST_LINE))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        except _DAMAGED:
            break
        if bytes(named.request):
            return None, True
        if named.session_id:
            return named.session_id, False
    return None, False


def _opened(path: str) -> BinaryIO:
    if path.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.endswith(".xz"):
        return cast(BinaryIO, lzma.open(path, "rb"))
    return BufferedReader(FileIO(path))


def _stem(path: str) -> str:
    return Path(path).name.split(".")[0]


@lru_cache
def _project(folder: str) -> str:
    """The folder of the project: sub-agents' files lie two folders further down."""
    folders = Path(folder).parts
    if "subagents" in folders[2:]:
        folders = folders[: folders.index("subagents") - 1]
    return folders[-1] if folders else ""
