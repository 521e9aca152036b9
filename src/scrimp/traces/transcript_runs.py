"""Which run a session file is part of, and in which order the calls of a source were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scrimp.traces.transcript_calibration import JudgedCall

__all__ = ["as_sent", "run_of"]


def run_of(path: Path) -> str:
    """A session's own file and its sub-agents' files are one run."""
    if path.parent.name == "subagents":
        return path.parent.parent.name
    return path.name.split(".jsonl")[0]


def as_sent(judged: Iterable[JudgedCall]) -> list[JudgedCall]:
    """The calls in the order they were sent; those sent at once in the order their answers began."""
    return sorted(judged, key=lambda one: (one.step.at, one.began_at))
