"""Where Claude Code keeps its sessions: what `scrimp audit` reads where no path is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from scrimp.errors import TraceError

__all__ = ["default_paths", "paths_or_default"]

_VARIABLE = "CLAUDE_CONFIG_DIR"
_SESSIONS = "projects"


def paths_or_default(paths: tuple[str, ...]) -> list[str]:
    """The paths given, else those of Claude Code that are there. Raises TraceError where none is."""
    if paths:
        return list(paths)
    looked = default_paths(os.environ, Path.home())
    found = [str(path) for path in looked if path.is_dir()]
    if not found:
        raise TraceError(
            f"no sessions of Claude Code in {' or '.join(map(str, looked))}: "
            "give a PATH of sessions, recorded exchanges or a capture"
        )
    return found


def default_paths(env: Mapping[str, str], home: Path) -> list[Path]:
    """Where Claude Code writes: the folders of `CLAUDE_CONFIG_DIR` (commas between), else the usual ones."""
    named = [part.strip() for part in env.get(_VARIABLE, "").split(",") if part.strip()]
    roots = [Path(part).expanduser() for part in named]
    if not roots:
        config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
        roots = [config / "claude", home / ".claude"]
    return list(dict.fromkeys(root if root.name == _SESSIONS else root / _SESSIONS for root in roots))
