"""`scrimp diagnose`: why recorded calls did not read the cache as they should have, and what that cost."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from scrimp.cli.explain_place import place_name, typed
from scrimp.cli.input import read_recordings
from scrimp.cli.numbers import dollars, percent
from scrimp.cli.output import console, print_json, progress
from scrimp.core import money
from scrimp.core.causes import FIXES, Cause
from scrimp.diagnosing import Findings, diagnose_corpus
from scrimp.traces.diagnosed import Finding
from scrimp.traces.garbage import few_collections

__all__ = ["diagnose", "diagnosis_json", "miss_json"]


@click.command("diagnose")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--list", "listed", is_flag=True, help="List every miss, dearest first.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON, money as decimal strings in USD.")
@few_collections()
def diagnose(paths: tuple[str, ...], *, listed: bool, as_json: bool) -> None:
    """Name the cause of every cache miss, what it cost, and how to stop it.

    PATH is a file, folder or glob of recorded exchanges (.jsonl, also .gz and .xz), a capture (.sqlite) or
    transcripts of Claude Code. A miss is a call that read less than earlier calls had left for it; what it
    lost is counted against reading those tokens, at that day's prices. Lines of your prompts are shown where
    they first differ.
    """
    recordings = read_recordings(paths)
    corpus = recordings.corpus
    with progress("diagnosing", corpus.exchanges or len(corpus.transcripts)) as advance:
        found = diagnose_corpus(corpus, recordings.facts, advance)
    if as_json:
        print_json(diagnosis_json(found))
        return
    _print(found, listed=listed)


def diagnosis_json(found: Findings) -> dict[str, Any]:
    """The documented JSON: `causes` sums the misses, `misses` has each, `others` counts what is no miss."""
    others = Counter(f.diagnosis.cause for f in found.found if not f.diagnosis.bust)
    misses = found.misses
    return {
        "calls": found.calls,
        "missed": len(misses),
        "lost_usd": found.lost,
        "unknown_share": _unknown_share(misses),
        "causes": [
            {
                "cause": cause,
                "misses": len(group),
                "lost_usd": money.dollars(sum(one.diagnosis.lost for one in group)),
                "fix": FIXES[cause],
            }
            for cause, group in found.by_cause().items()
        ],
        "misses": [miss_json(finding) for finding in misses],
        "others": {
            str(cause): {"calls": count, "lost_usd": _lost(found, cause)}
            for cause, count in others.most_common()
        },
        "skipped": dict(found.skipped),
    }


def _lost(found: Findings, cause: Cause) -> Any:
    return money.dollars(sum(f.diagnosis.lost for f in found.found if f.diagnosis.cause is cause))


def _unknown_share(misses: list[Finding]) -> float | None:
    unknown = sum(finding.diagnosis.cause is Cause.UNKNOWN for finding in misses)
    return round(unknown / len(misses), 4) if misses else None


def miss_json(finding: Finding) -> dict[str, Any]:
    """One diagnosed call, in the documented keys of `misses`."""
    diagnosis, change = finding.diagnosis, finding.diagnosis.change
    return {
        "cause": diagnosis.cause,
        "also": list(diagnosis.also),
        "where": place_name(finding.where),
        "run": finding.run,
        "seq": finding.seq,
        "model": finding.model,
        "at": datetime.fromtimestamp(finding.at, UTC).isoformat() if finding.timed else None,
        "promised": diagnosis.promised,
        "read": diagnosis.read,
        "lost_usd": money.dollars(diagnosis.lost),
        "detail": diagnosis.detail,
        "path": change.path if change else None,
        "offset": change.offset if change else None,
        "before": change.before if change else None,
        "after": change.after if change else None,
        "names": list(change.names) if change else [],
        "again": diagnosis.quiet,
        "provider": diagnosis.provider,
        "provider_agrees": diagnosis.agrees,
    }


def _print(found: Findings, *, listed: bool) -> None:
    out = console()
    groups = found.by_cause()
    misses = found.misses
    if not misses:
        out.print(f"{found.calls:,} calls: every one read what it should have.")
    else:
        share = percent(len(misses) / found.calls)
        out.print(
            f"{len(misses):,} of {found.calls:,} calls ({share}) read less than was there for them and lost "
            f"{dollars(found.lost)}.\n"
        )
        out.print(_table(found))
        for cause, group in groups.items():
            out.print()
            _print_cause(cause, group, listed=listed)
    _print_others(found)


def _table(found: Findings) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("cause", "misses", "told again", "lost"):
        table.add_column(heading, justify="left" if heading == "cause" else "right", no_wrap=True)
    for cause, group in found.by_cause().items():
        again = sum(one.diagnosis.quiet for one in group)
        lost = money.dollars(sum(one.diagnosis.lost for one in group))
        table.add_row(str(cause), f"{len(group):,}", f"{again:,}" if again else "", dollars(lost))
    return table


def _print_cause(cause: Cause, group: list[Finding], *, listed: bool) -> None:
    out = console()
    out.print(f"{cause}. {FIXES[cause]}", markup=False)
    for finding in group if listed else group[:1]:
        out.print(f"  {_place(finding)}", markup=False, soft_wrap=True)
        for line in finding.diagnosis.describe(excerpts=True).splitlines()[1:-1]:
            out.print(f"  {line}", markup=False, soft_wrap=True)
    if not listed and len(group) > 1:
        out.print(f"  … and {len(group) - 1:,} more: --list", markup=False)


def _place(finding: Finding) -> str:
    diagnosis = finding.diagnosis
    seq = "" if finding.seq is None else f" call {finding.seq}"
    change = f", {diagnosis.change.where}" if diagnosis.change is not None else ""
    return (
        f"{typed(finding.where)} ({finding.run}{seq}{change}): {diagnosis.read:,} of "
        f"{diagnosis.promised:,} tokens read, {dollars(money.dollars(diagnosis.lost))} lost"
    )


def _print_others(found: Findings) -> None:
    out = console()
    others = Counter(f.diagnosis.cause for f in found.found if not f.diagnosis.bust)
    if others:
        said = "; ".join(f"{count:,} {cause}" for cause, count in others.most_common())
        out.print(f"\nNo miss, but nothing read either: {said}.", markup=False)
    if found.skipped:
        said = "; ".join(f"{count:,} {reason}" for reason, count in found.skipped.most_common())
        out.print(f"Left out: {said}.", markup=False)
