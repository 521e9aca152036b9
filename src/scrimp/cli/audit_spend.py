"""`scrimp audit --only spend`: what was spent, said at once.

It imports what it needs and nothing more, tables included: where no file has changed since the last time, the
answer is there before a library for terminals would be loaded.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date

import click
import msgspec

from scrimp.cli.audit_by import spend_dimensions, spend_json
from scrimp.cli.audit_faults import name_bad_files
from scrimp.cli.exit_codes import ExitCode
from scrimp.core.spend import Dimension, Line, Spend
from scrimp.errors import TraceError
from scrimp.spending import Spent, spend

__all__ = ["spend_only", "spend_text"]

_DEFAULT: tuple[Dimension, ...] = ("model", "day", "project")
_TOP = 20
_NAME = 34
_CENT = 10**10
_MANY_FILES = 50
"""Files to read from which on a bar says how far it is."""


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Without looking for garbage: none of what is read is part of a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_nothing_collected()
def spend_only(
    paths: Sequence[str | os.PathLike[str]],
    *,
    by: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    as_json: bool = False,
) -> ExitCode:
    """Print what was spent under `paths` by dimension, from the day `since` to the day `until` (UTC).

    Raises TraceError for paths that do not exist and where no billed call was found, click.UsageError for a
    dimension there is not.
    """
    dimensions = spend_dimensions(by) or _DEFAULT
    with ExitStack() as stack:
        bar = _Bar(stack)
        spent = spend(paths, begin=bar.begin, advance=bar.advance)
    first, last = (date.fromisoformat(day) if day else None for day in (since, until))
    found = spent.spend.between(first, last)
    name_bad_files(spent.faults)
    if not found.whole.calls:
        raise TraceError(_nothing(paths, spent, since=since, until=until))
    if as_json:
        said = {"files": spent.files, "copies": spent.copies, **spend_json(found, dimensions)}
        text = msgspec.json.format(msgspec.json.encode(said), indent=2).decode()
    else:
        text = "\n".join(spend_text(msgspec.structs.replace(spent, spend=found), dimensions))
    click.echo(text)
    gc.freeze()  # nor is there anything to find when the process ends
    return ExitCode.OK


def _nothing(
    paths: Sequence[str | os.PathLike[str]], spent: Spent, *, since: str | None, until: str | None
) -> str:
    """Why there is nothing to add up."""
    where = ", ".join(str(path) for path in paths)
    whole = spent.spend.whole.calls
    if whole:
        window = " ".join(f"{name} {day}" for name, day in (("--since", since), ("--until", until)) if day)
        return f"{where}: none of {whole:,} billed calls is within {window}"
    return f"{where}: no billed call was found: pass recorded exchanges, a capture, a ledger or transcripts"


def spend_text(spent: Spent, by: Sequence[Dimension], *, top: int = _TOP) -> Iterator[str]:
    """The lines of a terminal: the whole, then a table for each dimension, the first `top` lines of each."""
    found, whole = spent.spend, spent.spend.whole
    again = f"; {spent.copies:,} calls stand in several and are counted once" if spent.copies else ""
    files = _many(spent.files, "file")
    yield f"Spent ${_usd(whole.cost)} in {_many(whole.calls, 'call')} (measured; {files}{again})."
    if found.api_equivalent:
        yield "At API prices: where a subscription paid, this is what the same calls would have"
        yield "cost there."
    for model, reason in found.guesses.items():
        yield f"Estimated: {model} is {reason}."
    for dimension in by:
        yield ""
        yield from _table(dimension, found, top)


def _table(dimension: Dimension, found: Spend, top: int) -> Iterator[str]:
    lines, whole = found.by(dimension), max(found.whole.cost, 1)
    yield f"{dimension:{_NAME}} {'calls':>8} {'tokens':>14} {'cost':>12} {'share':>7}"
    for line in lines[:top]:
        sums = line.sums
        amount = ("~$" if sums.uncertain else "$") + _usd(sums.cost)
        share = f"{sums.cost * 100 / whole:.1f} %"
        name = _name(dimension, line)
        yield f"{name:{_NAME}} {sums.calls:>8,} {sums.tokens:>14,} {amount:>12} {share:>7}"
    if len(lines) > top:
        rest = sum(line.sums.cost for line in lines[top:])
        more = f"{len(lines) - top:,} more: --json"
        yield f"{more:{_NAME}} {'':>8} {'':>14} {'$' + _usd(rest):>12} {rest * 100 / whole:>5.1f} %"


def _name(dimension: Dimension, line: Line) -> str:
    """Its name; of a long one the end, which tells paths apart best, of an id the beginning."""
    name = line.name or "(not recorded)"
    if len(name) <= _NAME:
        return name
    return name[: _NAME - 1] + "…" if dimension == "session" else "…" + name[1 - _NAME :]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _usd(amount: int) -> str:
    """Picodollars as dollars and cents, rounded half to even."""
    cents, rest = divmod(amount, _CENT)
    cents += 2 * rest > _CENT or (2 * rest == _CENT and cents % 2)
    return f"{cents // 100:,}.{cents % 100:02}"


class _Bar:
    """A bar for reading many files, on a terminal; nothing is loaded for it otherwise."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._advance: Callable[[int], None] | None = None

    def begin(self, files: int) -> None:
        """So many files are to be read."""
        if files >= _MANY_FILES and sys.stderr.isatty():
            from scrimp.cli.output import progress  # noqa: PLC0415 - rich is needed for nothing else

            self._advance = self._stack.enter_context(progress("reading", files))

    def advance(self, done: int) -> None:
        """So many more have been read."""
        if self._advance is not None:
            self._advance(done)
