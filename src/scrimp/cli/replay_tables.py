"""`scrimp replay` for people: how far the model can be trusted first, then every bill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from rich.console import Console
from rich.table import Table

from scrimp.cli.numbers import change, dollars, percent
from scrimp.core import money
from scrimp.core.summary import Foreseen, RunBill, SourceBill, add_up, compare, foreseen_in_all

__all__ = ["print_replay"]

_SOURCES_SHOWN = 12
_NAME_WIDTH = 24
_DEARER_SHOWN = 5
_NOT_AVAILABLE = "not available"


def print_replay(
    out: Console,
    sources: Sequence[SourceBill],
    names: Sequence[str],
    skipped: Counter[str],
    *,
    own_days: bool,
) -> None:
    """Print calibration, bills, sources and runs; `own_days`: prices are those of each call's own day."""
    runs = list(chain.from_iterable(source.runs for source in sources))
    ordered = sorted(sources, key=lambda source: -source.foreseen.billed)
    out.print(_calibration_table(ordered, foreseen_in_all(sources)))
    unexplained = sum(source.foreseen.unexplained for source in sources)
    if unexplained:
        out.print(
            f"In {unexplained:,} calls the bill shows an entry gone early, or one that no recorded call "
            "wrote. Where all calls went to one cache, the same happens to every policy."
        )
    inferred = sum(source.foreseen.inferred for source in sources)
    if inferred:
        out.print(
            f"In {inferred:,} calls recorded in part a marker at the end of the system prompt is inferred: "
            "earlier bills show that it was there."
        )
    out.print()
    out.print(_bills_table(add_up(runs), runs, names))
    own = next((name for name in ("scrimp", *names) if name in names and name != "recorded"), None)
    if own is not None and len(sources) > 1:
        out.print()
        out.print(_sources_table(ordered, own))
    _print_notes(out, runs, own, skipped, own_days=own_days)


def _print_notes(
    out: Console, runs: Sequence[RunBill], own: str | None, skipped: Counter[str], *, own_days: bool
) -> None:
    whole = add_up(runs)
    counted = "1 run" if len(runs) == 1 else f"{len(runs):,} runs"
    out.print(
        f"\n{whole.calls:,} calls in {counted}. Input cost is estimated by the model; "
        f"billed: {dollars(money.dollars(whole.billed))} for input (measured)."
    )
    if "auto" in whole.policies and whole.policies["auto"].not_offered:
        count = whole.policies["auto"].not_offered
        out.print(f"Automatic caching was not offered yet on the days of {count:,} of these calls.")
    if own_days:
        out.print("Prices and cache rules are those of each call's own day; --at DATE takes another day's.")
    if own is not None:
        _print_dearer(out, runs, own)
    if skipped:
        out.print("Left out: " + "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common()))


def _print_dearer(out: Console, runs: Sequence[RunBill], name: str) -> None:
    dearer = compare(runs, name).dearer
    if not dearer or any(run.policies[name].not_offered for run in runs):
        return
    out.print(f"Dearer with {name} than with the recorded markers, in {len(dearer):,} runs:")
    for run in dearer[:_DEARER_SHOWN]:
        before, after = (money.dollars(run.policies[policy].input_cost) for policy in ("recorded", name))
        line = f"  {run.source} {run.run}: {dollars(before)} → {dollars(after)} ({change(before, after)})"
        out.print(line, markup=False, soft_wrap=True)
    if len(dearer) > _DEARER_SHOWN:
        out.print(f"  and {len(dearer) - _DEARER_SHOWN:,} more: --json names each.")


def _calibration_table(sources: Sequence[SourceBill], whole: Foreseen) -> Table:
    table = _table("bills reproduced", "calls", "billed", "by the model", "off", "reads right")
    shown = sources[:_SOURCES_SHOWN] if len(sources) > 1 else ()
    for source in shown:
        table.add_row(_short(source.source), *_calibration_cells(source.foreseen))
    if len(sources) > len(shown) > 0:
        table.add_row(f"{len(sources) - len(shown):,} more sources", "", "", "", "", "")
    table.add_row("all" if len(sources) > 1 else _short(sources[0].source), *_calibration_cells(whole))
    return table


def _calibration_cells(found: Foreseen) -> tuple[str, ...]:
    billed, model = money.dollars(found.billed), money.dollars(found.model)
    return (
        f"{found.calls:,}",
        dollars(billed),
        dollars(model),
        change(billed, model),
        percent(found.within / found.calls) if found.calls else "",
    )


def _bills_table(whole: RunBill, runs: Sequence[RunBill], names: Sequence[str]) -> Table:
    table = _table("policy", "input", "× floor", "in all", "cache reads", "runs ≤ recorded")
    for name in sorted(names, key=lambda name: -whole.policies[name].input_cost):
        found = whole.policies[name]
        if found.not_offered:
            table.add_row(name, _NOT_AVAILABLE, "", "", "", "")
            continue
        table.add_row(
            name,
            dollars(money.dollars(found.input_cost)),
            f"{found.input_cost / whole.floor:.3f}" if whole.floor else "",
            dollars(money.dollars(found.total)),
            percent(found.read_share),
            "" if name == "recorded" else _at_most(runs, name),
        )
    table.add_row("floor", dollars(money.dollars(whole.floor)), "1.000", "", "", "")
    return table


def _sources_table(sources: Sequence[SourceBill], name: str) -> Table:
    table = _table("source", "runs", "recorded", name, "", "floor", "≤ recorded")
    for source in sources[:_SOURCES_SHOWN]:
        whole = add_up(source.runs)
        found, recorded = whole.policies[name], money.dollars(whole.policies["recorded"].input_cost)
        cost = money.dollars(found.input_cost)
        table.add_row(
            _short(source.source),
            f"{len(source.runs):,}",
            dollars(recorded),
            _NOT_AVAILABLE if found.not_offered else dollars(cost),
            "" if found.not_offered else change(recorded, cost),
            dollars(money.dollars(whole.floor)),
            "" if found.not_offered else _at_most(source.runs, name),
        )
    if len(sources) > _SOURCES_SHOWN:
        table.add_row(f"{len(sources) - _SOURCES_SHOWN:,} more sources", "", "", "", "", "", "")
    return table


def _short(source: str) -> str:
    """A name that leaves the figures their room: its beginning and its end."""
    return source if len(source) <= _NAME_WIDTH else f"{source[:7]}…{source[8 - _NAME_WIDTH :]}"


def _at_most(runs: Sequence[RunBill], name: str) -> str:
    found = compare(runs, name)
    return f"{found.at_most:,} ({percent(found.share)})"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(
            heading,
            justify="right" if number else "left",
            no_wrap=number > 0,
            overflow="ellipsis" if number else "fold",
        )
    return table
