"""How commands speak: JSON for programs and tables for people on stdout, progress on stderr."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["console", "json_text", "print_json", "progress"]


class _Console(Console):
    """Leaves a reader that went away to the command line, which has a status of its own for it."""

    def on_broken_pipe(self) -> None:
        """Called while the error is handled: let it pass on."""
        self.quiet = True
        raise  # noqa: PLE0704 - the BrokenPipeError that rich has caught


def json_text(value: object) -> str:
    """Return `value` as indented JSON: keys in the order given, money (`Decimal`) as plain decimal strings.

    Dataclasses, enums, dates, tuples and paths are written as one would expect. Raises TypeError for what has
    no stable form, sets among them.
    """
    return orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2).decode()


def print_json(value: object) -> None:
    """Print `value` on stdout as `json_text` writes it: UTF-8 on every platform, one trailing newline."""
    sys.stdout.flush()
    data = json_text(value).encode() + b"\n"
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # stdout replaced by a text-only stream
        sys.stdout.write(data.decode())
        return
    binary.write(data)
    binary.flush()


def console(*, stderr: bool = False) -> Console:
    """Return a rich console that prints text as given: no guessing of what to colour, no emoji codes.

    `NO_COLOR` and `COLUMNS` are respected; output that does not go to a terminal is plain, 80 columns wide
    unless `COLUMNS` says otherwise.
    """
    return _Console(stderr=stderr, highlight=False, emoji=False)


@contextmanager
def progress(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar for `task` on stderr, only on a terminal; yields `advance(done_now)`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    target = console(stderr=True)
    with Progress(*columns, console=target, transient=True, disable=not target.is_terminal) as bars:
        bar = bars.add_task(task, total=total)
        yield lambda done: bars.advance(bar, done)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no stable JSON form")
