"""Recorded calls on disk: JSON Lines (plain, `.gz`, `.xz`) and capture files, in files, folders and globs.

A line that cannot be read is named (`path:line`) and counted, never fatal; the rest of the file still counts.
"""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from functools import partial
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from scrimp.errors import TraceError
from scrimp.stores.opening import CAPTURE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Fault", "Faults", "find_files", "read_lines"]

SUFFIXES = (".jsonl", ".ndjson")
PACKED = (".gz", ".xz")
LONGEST_LINE = 1 << 28
TOO_LONG = f"a line of more than {LONGEST_LINE >> 20} MB is no line of a recording: nothing after it is read"
READ_AHEAD = 1 << 18
"""Bytes. Lines are often longer than the 8 KB read by default, and would be put together from pieces."""


class Fault(msgspec.Struct, frozen=True):
    """One line that could not be read. `line` counts from 1; 0 means the file as a whole."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.reason}"


Faults = list[Fault]
"""Where readers put what they could not read."""


def find_files(paths: Iterable[str | Path], faults: Faults | None = None) -> list[Path]:
    """The recordings under `paths`, each once, sorted by path within every argument.

    A file is taken whatever its name; a folder gives its `.jsonl`/`.ndjson` files (also `.gz`, `.xz`) and
    what `capture=True` wrote, subfolders included; a glob (`**` allowed) gives what it matches. `faults`
    hears of folders that cannot be listed. Raises TraceError for a path that does not exist and for a glob
    that matches nothing.
    """
    found: dict[Path, None] = {}
    unlisted: Faults = [] if faults is None else faults
    for path in paths:
        for match in _matches(Path(path).expanduser()):
            files = sorted(_recordings_in(match, unlisted)) if match.is_dir() else [match]
            found.update(dict.fromkeys(files))
    return list(found)


def _recordings_in(folder: Path, faults: Faults) -> Iterator[Path]:
    def unlisted(error: OSError) -> None:
        faults.append(Fault(Path(error.filename), 0, f"cannot be listed: {error.strerror}"))

    for place, _, names in os.walk(folder, onerror=unlisted):
        yield from filter(_is_recording, (Path(place, name) for name in names))


def _matches(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    if not has_magic(str(path)):
        raise TraceError(f"{path}: no such file or folder")
    matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not matches:
        raise TraceError(f"{path}: matches no file")
    return matches


def _is_recording(path: Path) -> bool:
    name = path.with_suffix("") if path.suffix in PACKED else path
    return (name.suffix in SUFFIXES or path.name == CAPTURE_FILE) and path.is_file()


def read_lines(path: Path, faults: Faults) -> Iterator[tuple[int, bytes]]:
    """Every line that is not blank with its number, counted from 1.

    A file that breaks off inside its compression gives the lines before the break and one fault. Raises
    TraceError when the file cannot be opened.
    """
    with _opened(path) as file:
        yield from _whole_lines(file, path, faults)


def _whole_lines(file: BinaryIO, path: Path, faults: Faults) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), start=1):
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                faults.append(Fault(path, number, TOO_LONG))
                return
            if not line.isspace():
                yield number, line
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        faults.append(Fault(path, number, _damage(path, number, error)))


def _damage(path: Path, number: int, error: Exception) -> str:
    """What is wrong with a packed file, without the words of the library that met it."""
    if isinstance(error, EOFError):
        return "damaged after this line: the file breaks off"
    packed = "gzip" if path.suffix == ".gz" else "xz"
    return "damaged after this line: its packed data is corrupt" if number else f"holds no {packed} data"


def _opened(path: Path) -> BinaryIO:
    try:
        match path.suffix:
            case ".gz":
                return cast(BinaryIO, gzip.open(path, "rb"))
            case ".xz":
                return cast(BinaryIO, lzma.open(path, "rb"))
            case _:
                return path.open("rb", buffering=READ_AHEAD)
    except OSError as error:
        raise TraceError(f"{path}: cannot be opened: {error.strerror or error}") from None
