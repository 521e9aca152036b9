"""Recordings of which several tests read every byte: unpacked once for all of them."""

from __future__ import annotations

import fcntl
import lzma
import shutil
from pathlib import Path

__all__ = ["unpacked"]


def unpacked(folder: Path, into: Path) -> Path:
    """A copy of `folder` in which no file is packed: whoever asks first makes it, the others wait for it."""
    place = into / folder.name
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            making = place.with_suffix(".making")
            for path in filter(Path.is_file, folder.rglob("*")):
                copy = making / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".xz":
                    copy.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
                else:
                    shutil.copyfile(path, copy)
            making.rename(place)
    return place
