"""The whole of `scrimp audit`: read, audit, and say it as tables, JSON or a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple, cast

import click
import msgspec

from scrimp import __version__
from scrimp.auditing import audit
from scrimp.cli.audit_by import spend_dimensions, spent_json
from scrimp.cli.audit_checklist_text import print_checklist
from scrimp.cli.audit_faults import left_out, name_bad_files
from scrimp.cli.audit_json import audit_json
from scrimp.cli.audit_spend import spend_only
from scrimp.cli.audit_text import print_head, print_sections, print_spend, say
from scrimp.cli.audit_words import count
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.output import console, print_json, progress
from scrimp.core.audit.model import Audit, Section
from scrimp.core.spend import Dimension
from scrimp.errors import InputError, TraceError
from scrimp.spending import Spent, spend
from scrimp.traces.corpus import read_corpus
from scrimp.traces.files import Faults, find_files

__all__ = ["Asked", "audit_whole", "scope_of"]

_BY: tuple[Dimension, ...] = ("model", "project")
_PATHS = 3
"""How many a page names."""


class Asked(NamedTuple):
    """Which sections of which days, and by what spending is told apart (empty: by the usual)."""

    only: Sequence[str]
    by: Sequence[str]
    since: date | None
    until: date | None

    @property
    def days(self) -> str:
        """The options that bound the days; empty where none does."""
        given = (("--since", self.since), ("--until", self.until))
        return " and ".join(name for name, day in given if day is not None)


def audit_whole(paths: Sequence[str], asked: Asked, *, as_json: bool, html_file: Path | None) -> ExitCode:
    """Audit what is under `paths`; bad files are named on stderr and the rest is read all the same."""
    by = spend_dimensions(asked.by) or _BY
    unlisted: Faults = []
    files = find_files(paths, unlisted)
    spent = _spent(paths, asked) if "spend" in asked.only or asked.days else None
    try:
        found = _audited(files, asked)
    except TraceError:
        if html_file is None and spent is not None and "spend" in asked.only and spent.spend.whole.calls:
            return _without_prompts(paths, asked, as_json=as_json)
        name_bad_files(map(str, [*unlisted, *read_corpus(files).faults]))
        raise
    found = msgspec.structs.replace(found, faults=(*map(str, unlisted), *found.faults))
    name_bad_files(found.faults)
    if "spend" not in asked.only:
        spent = None
    if html_file is not None:
        _write_page(html_file, found, spent, by, scope_of(paths, asked.since, asked.until))
    if as_json:
        print_json(audit_json(found) | {"spend": None if spent is None else spent_json(spent, by)})
    elif html_file is None:
        _print(found, spent, by)
    return ExitCode.OK


def scope_of(paths: Sequence[str], since: date | None, until: date | None) -> list[str]:
    """What was looked at, and by which scrimp on which day: the line below a page's title."""
    home = f"{Path.home()}/"
    shown = [f"~/{path.removeprefix(home)}" if path.startswith(home) else path for path in paths]
    more = [f"{len(shown) - _PATHS:,} more paths"] if len(shown) > _PATHS + 1 else []
    days = [f"{word} {day}" for word, day in (("from", since), ("up to", until)) if day]
    return [
        ", ".join([*(shown[:_PATHS] if more else shown), *more]),
        *([f"calls {' '.join(days)}"] if days else []),
        f"scrimp {__version__}, {datetime.now(UTC).date()}",
    ]


def _without_prompts(paths: Sequence[str], asked: Asked, *, as_json: bool) -> ExitCode:
    """A ledger keeps what calls cost, and none of what they said."""
    click.echo("scrimp: no prompt is recorded here: what was spent is all there is to say", err=True)
    since, until = (None if day is None else str(day) for day in (asked.since, asked.until))
    return spend_only(paths, by=asked.by, since=since, until=until, as_json=as_json)


def _audited(files: Sequence[Path], asked: Asked) -> Audit:
    only = cast("Sequence[Section]", asked.only)
    with progress("reading and replaying", 3 * len(files)) as advance:
        return audit(files, only=only, since=asked.since, until=asked.until, advance=advance)


def _spent(paths: Sequence[str], asked: Asked) -> Spent:
    """What was spent on the days asked for; says which calls are left out because they have no time."""
    spent = spend(paths)
    untimed = sum(cell.sums.calls for cell in spent.spend.cells if cell.place.quarter is None)
    if untimed and asked.days:
        if untimed == spent.spend.whole.calls:
            raise InputError(f"none of the calls has a recorded time: {asked.days} cannot be applied")
        lost = f"{count(untimed, 'call')} without a recorded time left out"
        click.echo(f"scrimp: {lost}: {asked.days} cannot be applied to them", err=True)
    return msgspec.structs.replace(spent, spend=spent.spend.between(asked.since, asked.until))


def _write_page(
    path: Path, found: Audit, spent: Spent | None, by: Sequence[Dimension], scope: Sequence[str]
) -> None:
    from scrimp.cli.audit_html.page import render_audit  # noqa: PLC0415 - the page alone needs it

    drawn = render_audit(found, None if spent is None else spent.spend, by, scope)
    path.write_text(drawn, encoding="utf-8")
    click.echo(f"wrote {path}", err=True)


def _print(found: Audit, spent: Spent | None, by: Sequence[Dimension]) -> None:
    out = console()
    print_head(out, found)
    if spent is not None:
        print_spend(out, spent, by)
    print_sections(out, found)
    if found.levers is not None:
        print_checklist(out, found.levers)
    notes = [note for note in (*found.notes, left_out(found.skipped)) if note]
    if notes:
        out.print()
        say(out, notes)
