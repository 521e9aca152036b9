"""The one folder where scrimp keeps state on a machine, and the one variable that moves it.

`SCRIMP_HOME`, else where the platform keeps state: `$XDG_STATE_HOME/scrimp` (by default
`~/.local/state/scrimp`) on Linux and other Unix systems, `~/Library/Application Support/scrimp` on macOS,
`%LOCALAPPDATA%\\scrimp` on Windows. Nothing is created until something has to be kept.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scrimp.errors import InputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["default_home", "scrimp_home"]


def scrimp_home(*, create: bool = False) -> Path:
    """Return the state folder; with `create`, make it first, readable by its owner alone (mode 700).

    Raises InputError when the path is taken by something that is not a folder, StoreError when the system
    does not let it be made or has no home for this user.
    """
    chosen = os.environ.get("SCRIMP_HOME")
    try:
        return _made(Path(chosen).expanduser().absolute() if chosen else _usual(), create=create)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreError(
            f"scrimp's folder cannot be had ({why}): point SCRIMP_HOME at one that can be written"
        ) from None


def _usual() -> Path:
    return default_home(sys.platform, os.environ, Path.home())


def _made(home: Path, *, create: bool) -> Path:
    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is not a folder: point SCRIMP_HOME at one, or move that file away")
    if create and not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
    return home


def default_home(platform: str, env: Mapping[str, str], user: Path) -> Path:
    """Return the state folder of `platform` (as in `sys.platform`) for a user whose own folder is `user`."""
    if platform == "darwin":
        return user / "Library" / "Application Support" / "scrimp"
    if platform == "win32":
        return Path(env.get("LOCALAPPDATA") or user / "AppData" / "Local") / "scrimp"
    state = env.get("XDG_STATE_HOME", "")
    # The XDG specification says that relative paths are to be ignored.
    return (Path(state) if state.startswith("/") else user / ".local" / "state") / "scrimp"
