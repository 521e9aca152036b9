"""`scrimp calibrate`: how well the model reproduces what was billed, disagreements with their causes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import click
from rich.table import Table

from scrimp.cli.input import read_recordings
from scrimp.cli.numbers import percent
from scrimp.cli.output import console, print_json
from scrimp.core.calibrate import Verdict
from scrimp.core.tally import Tally
from scrimp.errors import TraceError
from scrimp.traces.exchange_calibration import ExchangeCalibration, TokenJudgement, calibrate_exchanges
from scrimp.traces.garbage import few_collections
from scrimp.traces.transcript_calibration import TranscriptCalibration, calibrate_transcripts

__all__ = ["calibrate", "calibration_json"]


@click.command("calibrate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--list", "listed", is_flag=True, help="List every disagreement with its cause.")
@click.option(
    "--json", "as_json", is_flag=True, help="The result as JSON; shares and errors are fractions of one."
)
@few_collections()
def calibrate(paths: tuple[str, ...], *, listed: bool, as_json: bool) -> None:
    """Show how well scrimp's model reproduces what was billed.

    PATH is a file, folder or glob of recorded exchanges or transcripts of Claude Code (.jsonl, .gz, .xz).
    Tokens: whole prompts estimated before any bill of their run. Cache: reads and writes predicted call by
    call within 1 % of the prompt, from what happened before. Nothing is learned from the project judged.
    """
    recordings = read_recordings(paths)
    corpus = recordings.corpus
    exchanges = calibrate_exchanges(corpus, recordings.facts)
    transcripts = calibrate_transcripts(corpus.transcripts)
    if not exchanges.calls and not transcripts.calls:
        raise TraceError(f"{', '.join(paths)}: no billed call was found")
    if as_json:
        print_json(calibration_json(exchanges, transcripts))
        return
    _print(exchanges, transcripts, listed=listed)


def calibration_json(exchanges: ExchangeCalibration, transcripts: TranscriptCalibration) -> dict[str, Any]:
    """The documented JSON; exchanges and transcripts are counted together."""
    tally = _tally(exchanges, transcripts)
    warm = [verdict for verdict in exchanges.verdicts if verdict.group == "warm"]
    families = sorted({judged.family for judged in exchanges.tokens})
    return {
        "runs": len(exchanges.runs) + transcripts.runs,
        "calls": exchanges.calls + transcripts.calls,
        "tokens": {
            **_tokens_json(exchanges.tokens),
            "families": {
                family: _tokens_json([judged for judged in exchanges.tokens if judged.family == family])
                for family in families
            },
        },
        "cache": {
            **tally.summary(),
            "warm": {"calls": len(warm), "within_1pct": _share(sum(v.within for v in warm), len(warm))},
        },
        "skipped": dict(exchanges.skipped + Counter(transcripts.skipped)),
        "out_of_scope": dict(exchanges.out_of_scope),
        "disagreements": [*_exchange_rows(exchanges.verdicts), *_transcript_rows(transcripts)],
    }


def _tally(exchanges: ExchangeCalibration, transcripts: TranscriptCalibration) -> Tally:
    tally = Tally()
    tally.include(transcripts.cache)
    for verdict in exchanges.verdicts:
        if verdict.group == "predicted":
            usage = verdict.call.usage
            tally.count(
                within=verdict.within,
                read_exact=verdict.read_exact,
                predicted_read=verdict.outcome.read,
                billed_read=usage.cache_read_input_tokens,
                promised=verdict.promised,
            )
    return tally


def _tokens_json(judged: Sequence[TokenJudgement]) -> dict[str, Any]:
    errors = sorted(found.error for found in judged)
    return {
        "calls": len(judged),
        "median_abs_error": round(median(errors), 4) if errors else None,
        "p95_abs_error": round(_quantile(errors, 0.95), 4) if errors else None,
        "interval_coverage": _share(sum(found.covered for found in judged), len(judged)),
        "interval_median_width": round(median(found.width for found in judged), 4) if judged else None,
    }


def _quantile(ordered: Sequence[float], q: float) -> float:
    """Linear between the two nearest ranks."""
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _exchange_rows(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    return [
        {
            "call": verdict.call.where,
            "group": verdict.group,
            "cause": verdict.cause,
            "total_input": verdict.call.usage.total_input,
            "predicted": {"read": verdict.outcome.read, "write": verdict.outcome.written},
            "billed": {
                "read": verdict.call.usage.cache_read_input_tokens,
                "write": verdict.call.usage.cache_creation_input_tokens,
            },
        }
        for verdict in verdicts
        if not verdict.within
    ]


def _transcript_rows(transcripts: TranscriptCalibration) -> list[dict[str, Any]]:
    return [
        {
            "call": f"{found.path} {found.message_id}",
            "group": "transcript",
            "cause": found.kind,
            "total_input": found.total_input,
            "predicted": {"read": found.predicted_read, "write": found.predicted_write},
            "billed": {"read": found.billed_read, "write": found.billed_write},
        }
        for found in transcripts.disagreements
    ]


def _print(exchanges: ExchangeCalibration, transcripts: TranscriptCalibration, *, listed: bool) -> None:
    found = calibration_json(exchanges, transcripts)
    out = console()
    out.print(f"{found['calls']:,} billed calls in {found['runs']:,} runs\n")
    if found["tokens"]["calls"]:
        out.print(_tokens_table(found["tokens"]))
        out.print()
    out.print(_cache_table(found["cache"]))
    rows = found["disagreements"]
    if rows:
        out.print(f"\n{len(rows):,} calls disagree with their bill:")
        for cause, count in Counter(row["cause"] for row in rows).most_common():
            out.print(f"  {count:>5,}  {cause}", markup=False)
    for title, left_out in (
        ("Cached calls not judged", found["skipped"]),
        ("Out of scope", found["out_of_scope"]),
    ):
        if left_out:
            out.print(f"\n{title}:")
            for reason, count in Counter(left_out).most_common():
                out.print(f"  {count:>5,}  {reason}", markup=False)
    if listed:
        out.print()
        for row in rows:
            reads = f"read {row['predicted']['read']:,} (billed {row['billed']['read']:,})"
            writes = f"write {row['predicted']['write']:,} (billed {row['billed']['write']:,})"
            line = f"{row['call']}: {row['cause']}; predicted {reads}, {writes} of {row['total_input']:,}"
            out.print(line, markup=False, soft_wrap=True)
    elif rows:
        out.print("\nEach one with its cause: --list")


def _tokens_table(tokens: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in (
        "tokens, before any bill",
        "prompts",
        "median error",
        "95 % within",
        "in interval",
        "width",
    ):
        table.add_column(heading, justify="left" if "," in heading else "right")
    for name, row in [("all", tokens), *tokens["families"].items()]:
        table.add_row(
            name if name == "all" else f"  {name} tokenizer",
            f"{row['calls']:,}",
            percent(row["median_abs_error"]),
            percent(row["p95_abs_error"]),
            percent(row["interval_coverage"]),
            percent(row["interval_median_width"]),
        )
    return table


def _cache_table(cache: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("cache, read and write", "calls", "within 1 %"):
        table.add_column(heading, justify="left" if "," in heading else "right")
    rows = (("predicted", cache), ("warm: entries no recorded call wrote", cache["warm"]))
    for name, row in rows:
        if row["calls"]:
            table.add_row(name, f"{row['calls']:,}", percent(row["within_1pct"]))
    miss = cache["full_miss"]
    table.add_row(
        f"full misses: precision {percent(miss['precision'])}, recall {percent(miss['recall'])}, F1",
        "",
        percent(miss["f1"]),
    )
    return table
