"""As many sessions of Claude Code as are asked for: given ones over and over, each time with ids of its own.

Ids of messages, requests and sessions are new in every copy, so that none of it counts as a repetition; what
repeats inside the given sessions repeats inside each copy of them.
"""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.conversations import MODEL
from benchmarks.transcripts import write_transcripts

__all__ = ["session_files", "write_copies"]

_IDS = re.compile(rb"\b(?:msg|req)_[A-Za-z0-9]{8,}|(?<=\"sessionId\":\")[0-9a-f-]{36}")
_MADE_UP = 40_000_000
_PRICED = "claude-opus-5"
"""A model that every price list of the time knows."""


def session_files(folder: Path, given: Path | None, *, seed: int) -> list[Path]:
    """The sessions below `given`, or made up ones of a model that both price."""
    if given is not None:
        return sorted(path for path in given.rglob("*") if ".jsonl" in path.suffixes)
    files = write_transcripts(folder, size=_MADE_UP, seed=seed)
    for file in files:
        file.write_bytes(file.read_bytes().replace(MODEL.encode(), _PRICED.encode()))
    return files


def write_copies(files: Sequence[Path], home: Path, *, size: int) -> list[Path]:
    """Write about `size` bytes of copies below `home`/projects, a folder for each that the files lie in."""
    written: list[Path] = []
    done = 0
    for number, file, raw in _again_and_again(files):
        if done >= size:
            break
        name = f"{file.name.split('.jsonl')[0]}-{number}.jsonl"
        path = home / "projects" / file.parent.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mark = f"{number:03}".encode()
        copy = _IDS.sub(partial(_other_id, mark), raw)
        path.write_bytes(copy)
        written.append(path)
        done += len(copy)
    return written


def _other_id(mark: bytes, found: re.Match[bytes]) -> bytes:
    """An id with its end replaced."""
    return found.group()[: -len(mark)] + mark


def _again_and_again(files: Sequence[Path]) -> Iterator[tuple[int, Path, bytes]]:
    raws = [(file, _unpacked(file)) for file in files]
    number = 0
    while any(raw for _, raw in raws):
        for file, raw in raws:
            yield number, file, raw
        number += 1


def _unpacked(file: Path) -> bytes:
    raw = file.read_bytes()
    return {".xz": lzma.decompress, ".gz": gzip.decompress}.get(file.suffix, bytes)(raw)
