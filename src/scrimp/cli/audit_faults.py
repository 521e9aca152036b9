"""Bad input named on stderr: one line a file, however much of it is bad."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import click

__all__ = ["left_out", "name_bad_files", "one_line_a_file"]

_PLACE = re.compile(r"^(?P<path>.+?)(?::(?P<line>\d+))?: (?P<reason>.*)$", re.DOTALL)
_FILES_SHOWN = 12


def name_bad_files(faults: Iterable[str]) -> None:
    """Say what could not be read; the rest was."""
    lines = one_line_a_file(faults)
    for line in lines[:_FILES_SHOWN]:
        click.echo(f"scrimp: skipped {line}", err=True)
    if len(lines) > _FILES_SHOWN:
        click.echo(f"scrimp: skipped parts of {len(lines) - _FILES_SHOWN:,} more files: --json", err=True)


def one_line_a_file(faults: Iterable[str]) -> list[str]:
    """`path:line: reason` of the first bad line of each file, with how many more there are."""
    first: dict[str, str] = {}
    more: dict[str, int] = {}
    for fault in faults:
        found = _PLACE.match(fault)
        path = found["path"] if found else fault
        more[path] = more.get(path, -1) + 1
        first.setdefault(path, " ".join(fault.split()))
    return [text + _others(more[path]) for path, text in first.items()]


def _others(count: int) -> str:
    return f" (and {count:,} more line{'s' if count > 1 else ''})" if count else ""


def left_out(skipped: Mapping[str, int]) -> str:
    """What was not counted, by reason; empty where nothing was left out."""
    said = "; ".join(
        f"{reason} ({count:,})" for reason, count in sorted(skipped.items(), key=lambda one: -one[1])
    )
    return f"Left out: {said}." if said else ""
