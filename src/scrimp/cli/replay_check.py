"""`scrimp replay --check`: what the model foresees for the policies really in force, against their bills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from scrimp.cli.input import Recordings, name_faults
from scrimp.cli.numbers import change, dollars, percent
from scrimp.cli.output import progress
from scrimp.core import money
from scrimp.core.whatif.reality import Check, by_source, check
from scrimp.traces.billed import as_billed

__all__ = ["check_all", "check_json", "print_check"]

_NAME_WIDTH = 14
_FIGURES_WIDTH = 62
"""Columns that the figures take; the rest is for names."""

_FAR = 0.03
"""From here on a figure is explained: how much of it chance did."""


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
    """Print each source and each policy in it, the dearest source first; then why some are far off."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, heading in enumerate(
        ("in force", "calls", "billed", "foreseen", "off", "given", "rules alone")
    ):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    width = max(out.width - _FIGURES_WIDTH, _NAME_WIDTH)
    rows = list(_rows(groups))
    for name, one, part in rows:
        table.add_row(f"  {one.policy}" if part else _short(name, width), *_cells(one))
    out.print(table)
    out.print(
        "\nInput cost of the policies really in force, each foreseen from earlier calls and from what the "
        "other groups show of entries gone early, never from its own. Given: calls that read what calls "
        "outside the recording had left. Rules alone: how far off the figure is without either."
    )
    if any(not one.timed for _, one, _ in rows):
        out.print(
            "* No times were recorded. A pause that outlived the cache, or tools that changed unseen, cannot "
            "be told there from an entry gone early; how often to expect one is taken from the earlier runs "
            "of the same recordings."
        )
    inferred = sum(one.inferred for _, one, part in rows if not part)
    if inferred:
        out.print(
            f"In {inferred:,} calls recorded in part a marker at the end of the system prompt is inferred: "
            "earlier bills show that it was there."
        )
    _print_far_off(out, rows)
    if skipped:
        out.print("Left out: " + "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common()))


def _rows(groups: Sequence[Check]) -> Iterator[tuple[str, Check, bool]]:
    """Each source, then its policies where there are several: its name, the figures, whether it is a part."""
    for whole in by_source(groups):
        policies = sorted((one for one in groups if one.source == whole.source), key=lambda one: one.policy)
        yield whole.source, whole, False
        if len(policies) > 1:
            yield from ((whole.source, one, True) for one in policies)


def _print_far_off(out: Console, rows: Iterable[tuple[str, Check, bool]]) -> None:
    """Say of what is foreseen badly how much of it chance did: single entries that were gone, or were not."""
    far = [(name, one, part) for name, one, part in rows if abs(one.error) > _FAR]
    if far:
        out.print(f"\nMore than {percent(_FAR, 0)} off, and why:")
    for name, one, part in far:
        out.print(f"- {name}{f', {one.policy}' if part else ''}: {_why(one)}")


def _why(one: Check) -> str:
    billed = money.dollars(one.billed)
    off = f"{dollars(money.dollars(abs(one.predicted - one.billed)))} off."
    rules = change(billed, money.dollars(one.by_rules + one.paid))
    if not one.chances or abs(one.rules_error) > abs(one.error) / 2:
        return (
            f"{off} With each loss known the rules are {rules} off: what it read no recorded call explains."
        )
    below, above = (percent(abs(share), 0) for share in one.by_luck)
    whose = "its" if one.losses == 1 else "their"
    gone = f"{one.losses:,} of {one.chances:,} reads found {whose} entry gone and cost {_usd(one.paid)}"
    if not one.losses:
        gone = f"None of {one.chances:,} reads found its entry gone"
    return (
        f"{off} {gone}; {one.expected:.1f} were to be expected, and one may cost up to {_usd(one.dearest)}. "
        f"Such luck alone puts 19 of 20 bills between {below} below and {above} above what is foreseen. "
        f"With each loss known the rules are {rules} off."
    )


def _usd(picodollars: int) -> str:
    return dollars(money.dollars(picodollars))


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
        "rules_error": round(one.rules_error, 4),
        "blind_usd": money.dollars(one.blind),
        "blind_error": round(one.blind_error, 4),
        "by_luck": [round(share, 4) for share in one.by_luck],
        "given": one.given,
        "inferred_markers": one.inferred,
        "reads": one.reads,
        "read_calls": one.chances,
        "lost": one.lost,
        "lost_calls": one.losses,
        "lost_usd": money.dollars(one.paid),
        "expected_losses": round(one.expected, 2),
        "dearest_loss_usd": money.dollars(one.dearest),
        "timed": one.timed,
    }


def _short(source: str, width: int) -> str:
    if len(source) <= width:
        return source
    head = width // 3
    return f"{source[:head]}…{source[head + 1 - width :]}"
