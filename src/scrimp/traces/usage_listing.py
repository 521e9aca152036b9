"""Which recordings lie under some paths, and in what state: all that is looked at where nothing has changed.

The same files in the same order as `files.find_files`, without a path object for each.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scrimp.errors import TraceError
from scrimp.stores.trace_index import State, state_of

__all__ = ["Listed", "list_recordings"]

_SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.xz", ".ndjson.gz", ".ndjson.xz")
_CAPTURE = "capture.sqlite"
_DATABASES = (".sqlite", ".sqlite3", ".db")
_MAGIC = frozenset("*?[")


class Listed(NamedTuple):
    """Recordings with their states, in order; `databases` are captures and ledgers; `faults` name folders
    that cannot be looked into."""

    files: dict[str, State]
    databases: dict[str, None]
    faults: list[str]


def list_recordings(paths: Iterable[str | os.PathLike[str]]) -> Listed:
    """The recordings under files, folders and globs, each once, by its absolute path.

    Raises TraceError for a path that is not there and a glob that matches nothing.
    """
    listed = Listed({}, {}, [])
    for path in paths:
        for root in _matches(os.path.abspath(os.path.expanduser(path))):  # noqa: PTH100, PTH111 - text is kept
            if os.path.isdir(root):  # noqa: PTH112 - the same
                _add_folder(root, listed)
            elif root.endswith(_DATABASES):
                listed.databases.setdefault(root)
            else:
                listed.files.setdefault(root, state_of(os.stat(root)))  # noqa: PTH116 - the same
    return listed


def _matches(path: str) -> Iterator[str]:
    if os.path.lexists(path):
        yield path
    elif not _MAGIC & set(path):
        raise TraceError(f"{path}: no such file or folder")
    else:
        # Few give globs, and what reads them takes far longer to import than most folders take to list.
        from scrimp.traces.files import find_files  # noqa: PLC0415  # as said

        yield from map(str, find_files([path]))


def _add_folder(folder: str, listed: Listed) -> None:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        listed.faults.append(f"{folder}: cannot be looked into: {error.strerror or error}")
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            _add_folder(entry.path, listed)
        elif entry.name == _CAPTURE:
            listed.databases.setdefault(entry.path)
        elif entry.name.endswith(_SUFFIXES) and entry.is_file():
            listed.files.setdefault(entry.path, state_of(entry.stat()))
