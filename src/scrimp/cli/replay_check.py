"""`scrimp replay --check`: what the model foresees for the policies really in force, against their bills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from scrimp.cli.input import Recordings, name_faults
from scrimp.cli.numbers import change, dollars
from scrimp.cli.output import progress
from scrimp.core import money
from scrimp.core.whatif.reality import Check, by_source, check
from scrimp.traces.billed import as_billed

__all__ = ["check_all", "check_json", "print_check"]

_NAME_WIDTH = 24


def check_all(recordings: Recordings) -> tuple[list[Check], Counter[str]]:
    """Every source by the policy in force, and what was left out by reason."""
    corpus = recordings.corpus
    skipped: Counter[str] = Counter()
    named = len(corpus.faults)
    with progress("checking", len(corpus.transcripts)) as advance:
        found = check(as_billed(corpus, recordings.facts, skipped=skipped, advance=advance))
    name_faults(corpus.faults[named:])
    return found, skipped


def check_json(groups: Sequence[Check], skipped: Counter[str]) -> dict[str, Any]:
    """The documented JSON; errors are fractions of the bill."""
    return {
        "sources": [
            {
                **_group_json(whole),
                "policies": [
                    {"policy": one.policy, **_figures_json(one)}
                    for one in sorted(groups, key=lambda one: one.policy)
                    if one.source == whole.source
                ],
            }
            for whole in by_source(groups)
        ],
        "skipped": dict(skipped),
    }


def print_check(out: Console, groups: Sequence[Check], skipped: Counter[str]) -> None:
    """Print each source and each policy in it, the dearest source first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, heading in enumerate(
        ("in force", "calls", "billed", "foreseen", "off", "given", "rules alone")
    ):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number > 0, overflow="fold")
    untimed = False
    for whole in by_source(groups):
        policies = sorted((one for one in groups if one.source == whole.source), key=lambda one: one.policy)
        untimed = untimed or not whole.timed
        table.add_row(_short(whole.source), *_cells(whole))
        if len(policies) > 1:
            for one in policies:
                table.add_row(f"  {one.policy}", *_cells(one))
    out.print(table)
    out.print(
        "\nInput cost of the policies really in force, each foreseen from earlier calls and from what the "
        "other groups show of entries gone early, never from its own. Given: calls that read what calls "
        "outside the recording had left. Rules alone: how far off the figure is without either."
    )
    if untimed:
        out.print("* No times were recorded: whether an entry still lived is a guess there.")
    if skipped:
        out.print("Left out: " + "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common()))


def _cells(one: Check) -> tuple[str, ...]:
    billed, foreseen = money.dollars(one.billed), money.dollars(one.predicted)
    star = "" if one.timed else "*"
    return (
        f"{one.calls:,}",
        dollars(billed),
        dollars(foreseen),
        f"{change(billed, foreseen)}{star}",
        f"{one.given:,}" if one.given else "",
        change(billed, money.dollars(one.blind)),
    )


def _group_json(one: Check) -> dict[str, Any]:
    return {"source": one.source, **_figures_json(one)}


def _figures_json(one: Check) -> dict[str, Any]:
    return {
        "calls": one.calls,
        "billed_usd": money.dollars(one.billed),
        "predicted_usd": money.dollars(one.predicted),
        "error": round(one.error, 4),
        "rules_usd": money.dollars(one.by_rules),
        "blind_usd": money.dollars(one.blind),
        "blind_error": round(one.blind_error, 4),
        "given": one.given,
        "reads": one.reads,
        "lost": one.lost,
        "timed": one.timed,
    }


def _short(source: str) -> str:
    return source if len(source) <= _NAME_WIDTH else f"{source[:7]}…{source[8 - _NAME_WIDTH :]}"
