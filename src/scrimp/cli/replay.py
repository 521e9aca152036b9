"""`scrimp replay`: what recorded runs would have cost under each policy, against the floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import click

from scrimp.cli.input import Recordings, name_faults, read_recordings
from scrimp.cli.output import console, print_json, progress
from scrimp.cli.replay_check import check_all, check_json, print_check
from scrimp.cli.replay_json import replay_json
from scrimp.cli.replay_levers import LEVERS_HELP, read_rows
from scrimp.cli.replay_tables import print_replay
from scrimp.cli.replay_what_if import print_what_if
from scrimp.core.replay import POLICIES
from scrimp.core.summary import RowBill, SourceBill, replay_measured, row_bill
from scrimp.core.whatif.rows import Row, replay_row
from scrimp.errors import TraceError
from scrimp.traces.garbage import few_collections
from scrimp.traces.replays import Replayable, replayable

__all__ = ["replay", "replay_all"]

_FLOOR = 1
"""The floor is gone through like a policy."""


@click.command("replay", epilog=LEVERS_HELP)
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option(
    "--policy",
    "names",
    multiple=True,
    type=click.Choice(list(POLICIES)),
    help="A policy to replay; repeat for several (default: all).",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Prices and cache rules of that day (default: of each call's own day).",
)
@click.option(
    "--what-if",
    "what_ifs",
    multiple=True,
    metavar="LEVER[+LEVER…]",
    help="What another way would have cost; repeat for several, side by side. See below.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Foresee the bills of the policies really in force, and show how far off that is.",
)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON, money as decimal strings in USD.")
@few_collections()
def replay(
    paths: tuple[str, ...],
    *,
    names: tuple[str, ...],
    at: Any,
    what_ifs: tuple[str, ...],
    check: bool,
    as_json: bool,
) -> None:
    """Replay recorded runs under each policy and show every bill against the floor.

    PATH is a file, folder or glob of recorded exchanges, a capture, or sessions of Claude Code or pi (.jsonl,
    also .gz and .xz). `none` strips all markers, `auto` is the API's automatic marker alone, `recorded` the
    caller's own markers, `scrimp` what scrimp would have sent, planned step by step without looking ahead.
    First comes how well the model reproduces the bills of each source, since dollars are estimates of that
    model.

    Sessions hold no system prompt and no tools: their prompts begin with an opaque block of the length that
    the bills show. What a session's bill shows and no recorded call explains – an entry gone early, or left
    by a call that was not recorded – happens to every policy alike.
    """
    rows = read_rows(what_ifs)
    if check and (names or rows or at):
        raise click.UsageError("--check takes the policies and the days as they were: leave out the rest")
    recordings = read_recordings(paths)
    if check:
        _check(recordings, paths, as_json=as_json)
        return
    wanted = list(dict.fromkeys(names)) or (["recorded"] if rows else list(POLICIES))
    sources, skipped = replay_all(recordings, wanted, rows, at=at.date() if at else None)
    if not sources:
        raise TraceError(_nothing(paths, skipped))
    if as_json:
        print_json(replay_json(sources, wanted, skipped))
        return
    print_replay(console(), sources, wanted, skipped, own_days=at is None)
    if rows:
        print_what_if(console(), sources)


def _check(recordings: Recordings, paths: Sequence[str], *, as_json: bool) -> None:
    groups, skipped = check_all(recordings)
    if not groups:
        raise TraceError(_nothing(paths, skipped))
    if as_json:
        print_json(check_json(groups, skipped))
    else:
        print_check(console(), groups, skipped)


def replay_all(
    recordings: Recordings, names: Sequence[str], rows: Sequence[Row] = (), *, at: date | None = None
) -> tuple[list[SourceBill], Counter[str]]:
    """Every source under every policy, the recorded markers among them, and every row of a what-if.

    With them what was left out, by reason.
    """
    skipped: Counter[str] = Counter()
    policies = list(dict.fromkeys(["recorded", *names]))
    bills: list[SourceBill] = []
    corpus = recordings.corpus
    passes = len(policies) + _FLOOR + len(rows)
    named = len(corpus.faults)
    with progress("reading sessions", len(corpus.transcripts)) as advance:
        found = list(
            replayable(
                corpus,
                recordings.facts,
                skipped=skipped,
                at=at,
                needles=any(row.changes_contents for row in rows),
                advance=advance,
            )
        )
    name_faults(corpus.faults[named:])
    with progress("replaying", passes * sum(len(source.calls) for source in found)) as advance:
        while found:
            source = found.pop(0)  # prompts of a source are let go before the next one's are planned
            replays = replay_measured(source.calls, policies, advance)
            bills.append(
                SourceBill(
                    source.source,
                    source.foreseen,
                    replays.runs(source.source),
                    tuple(_row_bills(source, rows, advance)),
                )
            )
    return bills, skipped


def _row_bills(source: Replayable, rows: Sequence[Row], advance: Callable[[int], None]) -> Iterator[RowBill]:
    for row in rows:
        yield row_bill(row, replay_row(source.calls, row), source.foreseen)
        advance(len(source.calls))


def _nothing(paths: Sequence[str], skipped: Counter[str]) -> str:
    """Why there is nothing to replay, and what to do."""
    found = "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common(3))
    left_out = f" (left out: {found})" if found else ""
    return (
        f"{', '.join(paths)}: no billed call to replay was found{left_out}; "
        "record calls with `scrimp.Middleware(capture=True)`, or give the folder of Claude Code's sessions, "
        "~/.claude/projects"
    )
