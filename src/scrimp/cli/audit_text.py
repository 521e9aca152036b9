"""An audit in a terminal: how far to trust it, what was billed, each section; for 80 columns."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrimp.cli.audit_spend import spend_text
from scrimp.cli.audit_words import (
    PARTS,
    billed_sentences,
    calibration_sentence,
    misses_sentence,
    results_sentence,
    short_run,
    tax_sentences,
    ttl_sentences,
    usd,
    verdict_sentence,
)
from scrimp.cli.numbers import percent, tokens
from scrimp.cli.text_tables import blocks, prose
from scrimp.core.audit.model import Audit, Misses, Results, Tax, TtlFit
from scrimp.core.spend import Dimension
from scrimp.spending import Spent

__all__ = ["heading", "print_head", "print_sections", "print_spend", "quoted", "say", "table"]

_ROWS = 5
_LINES = 8
_BAR = 20
_NAME = 26
_WIDEST = 96
"""Prose beyond that is hard to read, however wide the terminal."""


def print_head(out: Console, audit: Audit) -> None:
    """Calibration first, then what was billed."""
    say(out, [calibration_sentence(audit.calibration)])
    out.print()
    say(out, billed_sentences(audit))


def print_sections(out: Console, audit: Audit) -> None:
    """The sections between spending and the checklist that were asked for."""
    if audit.tax is not None:
        _print_tax(out, audit.tax)
    if audit.results is not None:
        _print_results(out, audit.results)
    if audit.misses is not None:
        _print_misses(out, audit.misses)
    if audit.ttl is not None:
        _print_ttl(out, audit.ttl)


def print_spend(out: Console, spent: Spent, by: Sequence[Dimension]) -> None:
    """Money by each dimension asked for, as `--only spend` prints it, with fewer lines."""
    heading(out, "Spend", "measured")
    sentences, *tables = "\n".join(spend_text(spent, by, top=_LINES)).split("\n\n")
    say(out, sentences.splitlines())
    for one in tables:
        out.print(f"\n{one}", markup=False, soft_wrap=True)


def heading(out: Console, name: str, basis: str) -> None:
    """A section begins: its name, and what its figures rest on."""
    out.print()
    line = Text(name, style="bold")
    line.append(f"  {basis}", style="dim")
    out.print(line, soft_wrap=True)


def say(out: Console, sentences: Iterable[str], *, indent: str = "") -> None:
    """Sentences as paragraphs."""
    width = min(out.width, _WIDEST)
    for sentence in sentences:
        out.print(prose(sentence, width, bullet=indent), markup=False, soft_wrap=True)


def table(*headings: str) -> Table:
    """A table whose first column is a name and whose others are figures."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(headings):
        made.add_column(
            name,
            justify="right" if number and name else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=None if number else _NAME,
        )
    return made


def _print_tax(out: Console, tax: Tax) -> None:
    heading(out, "Sent again", "tokens and dollars measured, their parts estimated")
    say(out, tax_sentences(tax))
    out.print()
    whole = max(tax.amount, 1)
    rows = table("part of the prompt", "tokens", "billed", "share", "")
    for part in sorted(tax.parts, key=lambda part: -part.paid.amount):
        if part.paid.tokens:
            share = part.paid.amount / whole
            rows.add_row(
                PARTS[part.part],
                tokens(part.paid.tokens),
                usd(part.paid.amount),
                percent(share),
                blocks(share, _BAR),
            )
    out.print(rows)
    if tax.runs:
        out.print()
        runs = table("dearest runs", "calls", "input", "again", "")
        for run in tax.runs[:_ROWS]:
            cells = (f"{run.calls:,}", usd(run.amount), percent(run.again / run.amount) if run.amount else "")
            runs.add_row(Text(_short(short_run(run.run))), *cells, verdict_sentence(run))
        out.print(runs)


def _print_results(out: Console, results: Results) -> None:
    heading(out, "Tool results", "estimated between billed totals")
    say(out, [results_sentence(results)])
    if not results.tools:
        return
    out.print()
    tools = table("tool", "results", "tokens", "sent again", "cost", "")
    most = max(results.tools[0].paid.amount, 1)
    for tool in results.tools[:_ROWS]:
        tools.add_row(
            Text(tool.tool),
            f"{tool.results:,}",
            tokens(tool.tokens),
            f"{tool.resent:,}",
            usd(tool.paid.amount),
            blocks(tool.paid.amount / most, _BAR // 2),
        )
    out.print(tools)
    out.print()
    for one in results.dearest[:3]:
        asked = f" {one.asked}" if one.asked else ""
        size = f"{tokens(one.tokens)} tokens, sent {one.calls:,} times"
        say(out, [f"Dearest: {one.tool}{asked}: {size}, {usd(one.paid.amount)}."])
        _look(out, one.where)


def _print_misses(out: Console, misses: Misses) -> None:
    heading(out, "Cache misses", "tokens measured, loss estimated")
    say(out, [misses_sentence(misses)])
    if not misses.causes:
        return
    out.print()
    rows = table("cause", "misses", "tokens", "lost", "")
    most = max(misses.causes[0].lost, 1)
    for line in misses.causes[: 2 * _ROWS]:
        cause = f"{line.cause} (intended)" if line.intended else line.cause
        cells = (f"{line.misses:,}", tokens(line.tokens), usd(line.lost))
        rows.add_row(Text(cause), *cells, blocks(line.lost / most, _BAR))
    out.print(rows)
    if len(misses.causes) > 2 * _ROWS:
        say(out, [f"And {len(misses.causes) - 2 * _ROWS} more causes: --json has all."])
    for line in misses.causes[:2]:
        out.print()
        say(out, [f"{line.cause}: {line.fix}"])
        for where in line.examples[:1]:
            _look(out, where)


def _print_ttl(out: Console, fit: TtlFit) -> None:
    heading(out, "Lifetimes", "tokens measured, what they would have saved estimated")
    say(out, ttl_sentences(fit))
    calls = sum(gap.calls for gap in fit.gaps)
    if not calls:
        return
    out.print()
    rows = table("time since the call before", "calls", "share", "")
    for gap in fit.gaps:
        share = gap.calls / calls
        rows.add_row(gap.gap, f"{gap.calls:,}", percent(share), blocks(share, _BAR))
    out.print(rows)


def _look(out: Console, where: str) -> None:
    out.print(f"  scrimp explain {quoted(where)}", style="dim", markup=False, soft_wrap=True)


def quoted(where: str) -> str:
    """A place as one writes it in a shell, below one's own folder with a ~."""
    if set(where) & set("#()&;[]*?\"'$"):
        return shlex.quote(where)
    home = f"{Path.home()}/"
    return f"~/{where.removeprefix(home)}" if where.startswith(home) else where


def _short(name: str) -> str:
    parts: Sequence[str] = name.split("/")
    last = parts[-1]
    return last if len(last) <= _NAME else f"{last[: _NAME - 1]}…"
