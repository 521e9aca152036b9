"""`scrimp replay`: what recorded runs would have cost under each policy, against the floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import click
from rich.table import Table

from scrimp.cli.input import Recordings, read_recordings
from scrimp.cli.numbers import dollars, percent
from scrimp.cli.output import console, print_json
from scrimp.core import money
from scrimp.core.replay import POLICIES
from scrimp.core.summary import Money, RunBill, add_up, replay_source
from scrimp.errors import TraceError
from scrimp.traces.corpus import recorded_sources
from scrimp.traces.sizes import Sizes

__all__ = ["replay"]

ROUTE = "anthropic"
"""All calls are replayed on one route: recordings balanced over providers would miss every other cache."""


@click.command("replay")
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
@click.option("--json", "as_json", is_flag=True, help="The result as JSON, money as decimal strings in USD.")
def replay(paths: tuple[str, ...], names: tuple[str, ...], at: Any, *, as_json: bool) -> None:
    """Replay recorded runs under each policy and show every bill against the floor.

    PATH is a file, folder or glob of recorded exchanges (.jsonl, also .gz and .xz). `none` strips all
    markers, `auto` is the API's automatic marker alone, `recorded` the caller's own markers, `scrimp` what
    scrimp would have sent, planned step by step without looking ahead. Dollars are estimates of one and the
    same model; `scrimp calibrate` shows how far it can be trusted.
    """
    recordings = read_recordings(paths)
    wanted = list(dict.fromkeys(names)) or list(POLICIES)
    runs, skipped = replay_all(recordings, wanted, at=at.date() if at else None)
    transcripts = len(recordings.corpus.transcripts)
    if transcripts:
        skipped["transcripts, which hold no system prompt and no tools"] = transcripts
    if not runs:
        hint = "; `scrimp calibrate` reads transcripts, replay needs whole requests" if transcripts else ""
        raise TraceError(f"{', '.join(paths)}: no billed call with its whole request was found{hint}")
    whole = add_up(runs)
    if as_json:
        print_json(replay_json(whole, runs, skipped))
        return
    out = console()
    out.print(_table(whole))
    out.print(
        f"{whole.calls:,} calls in {len(runs):,} runs. Input cost is estimated by the model; "
        f"billed: {dollars(money.dollars(whole.billed))} for input (measured)."
    )
    if any(bill.policies for bill in runs) and at is None:
        out.print("Prices and cache rules are those of each call's own day; --at DATE takes another day's.")
    if skipped:
        out.print("Left out: " + "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common()))


def replay_all(
    recordings: Recordings, names: Sequence[str], *, at: date | None = None
) -> tuple[list[RunBill], Counter[str]]:
    """Every run under every policy, and what was left out by reason."""
    skipped: Counter[str] = Counter()
    runs: list[RunBill] = []
    sources = recorded_sources(
        recordings.corpus, recordings.facts, sizer=Sizes(), at=at, route=ROUTE, skipped=skipped
    )
    for _, calls in sources:
        runs.extend(replay_source(calls, names).runs())
    return runs, skipped


def replay_json(whole: RunBill, runs: Sequence[RunBill], skipped: Counter[str]) -> dict[str, Any]:
    """The documented JSON: `floor_usd`, `billed_usd` and `vs_floor` are input cost."""
    return {
        **_bill_json(whole),
        "runs": [{"run": run.run, **_bill_json(run)} for run in runs],
        "skipped": dict(skipped),
    }


def _bill_json(bill: RunBill) -> dict[str, Any]:
    return {
        "floor_usd": money.dollars(bill.floor),
        "billed_usd": money.dollars(bill.billed),
        "calls": bill.calls,
        "policies": {name: _policy_json(bill, found) for name, found in bill.policies.items()},
    }


def _policy_json(bill: RunBill, found: Money) -> dict[str, Any]:
    return {
        "input_usd": money.dollars(found.input_cost),
        "output_usd": money.dollars(found.output_cost),
        "usd": money.dollars(found.total),
        "vs_floor": round(found.input_cost / bill.floor, 4) if bill.floor else None,
        "tokens": dict(found.tokens),
    }


def _table(whole: RunBill) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("policy", "input", "× floor", "output", "in all", "cache reads"):
        table.add_column(heading, justify="left" if heading == "policy" else "right", no_wrap=True)
    for name, found in sorted(whole.policies.items(), key=lambda item: -item[1].input_cost):
        table.add_row(
            name,
            dollars(money.dollars(found.input_cost)),
            f"{found.input_cost / whole.floor:.3f}" if whole.floor else "",
            dollars(money.dollars(found.output_cost)),
            dollars(money.dollars(found.total)),
            percent(found.read_share),
        )
    table.add_row("floor", dollars(money.dollars(whole.floor)), "1.000", "", "", "")
    return table
