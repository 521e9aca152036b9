"""A damaged database is moved out of the way, whole: never overwritten, never deleted."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

__all__ = ["Identity", "identity", "set_aside"]

Identity = tuple[int, int]
"""Device and inode: which file a path led to."""

_COMPANIONS = ("-wal", "-shm")  # the log holds commits that are in no other place


def identity(path: Path) -> Identity | None:
    """Which file `path` leads to now, or None for no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before every commit, and `Path.stat` is one step more
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def set_aside(path: Path, damaged: Identity | None) -> Path | None:
    """Move the database at `path` to `<name>.corrupt-<UTC time>` with its log; returns where it is now.

    None when `path` no longer leads to the damaged file: another process was quicker. Raises OSError.
    """
    if damaged is None or identity(path) != damaged:
        return None
    aside = _reserved(path)
    for companion in _COMPANIONS:
        _move(path.with_name(path.name + companion), aside.with_name(aside.name + companion))
    path.replace(aside)
    return aside


def _reserved(path: Path) -> Path:
    """A free name, taken by an empty file so that no one else takes it."""
    name = f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for number in count(1):
        aside = path.with_name(name if number == 1 else f"{name}-{number}")
        try:
            os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            continue
        return aside
    raise AssertionError("count() does not end")


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except FileNotFoundError:
        return
