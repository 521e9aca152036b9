"""An audit in a terminal: how far to trust it, what was billed, each section; for 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from scrimp.cli.audit_spend import spend_text
from scrimp.cli.audit_words import (
    BESIDE,
    PARTS,
    billed_sentences,
    calibration_sentence,
    curable,
    misses_sentence,
    results_sentence,
    short_run,
    smaller_causes,
    tax_sentences,
    times,
    ttl_sentences,
    usd,
    verdict_sentence,
    worth_showing,
)
from scrimp.cli.explain_place import typed
from scrimp.cli.numbers import percent, tokens
from scrimp.cli.text_tables import blocks, prose
from scrimp.core.audit.model import Audit, Misses, Results, Tax, TtlFit
from scrimp.core.spend import Dimension
from scrimp.spending import Spent

__all__ = ["heading", "print_head", "print_sections", "print_spend", "print_table", "say"]

_ROWS = 5
_LINES = 8
_BAR = 20
_NAME = 26
_NARROWEST = 12
_GAP = "  "
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
        _print_misses(out, audit.misses, audit.billed)
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


def say(out: Console, sentences: Iterable[str], *, indent: str = "", style: str | None = None) -> None:
    """Sentences as paragraphs."""
    width = min(out.width, _WIDEST)
    for sentence in sentences:
        out.print(prose(sentence, width, bullet=indent), style=style, markup=False, soft_wrap=True)


def print_table(out: Console, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A name, figures, and what comes last without a heading: a bar, or words.

    Where the terminal is too narrow a bar goes first, then names are cut; figures are always whole.
    """
    cells = [list(headings), *map(list, rows)]
    drawn = not headings[-1]
    wide = _widths(cells)
    if drawn and _whole(wide) > out.width and _is_bar(rows):
        cells, drawn = [row[:-1] for row in cells], False
        wide = _widths(cells)
    room = max(out.width - (_whole(wide) - wide[0]), _NARROWEST)
    if drawn and room < min(wide[0], _NAME):
        cells, drawn = [row[:-1] for row in cells], False
        wide = _widths(cells)
        room = max(out.width - (_whole(wide) - wide[0]), _NARROWEST)
    wide[0] = min(wide[0], room)
    for number, row in enumerate(cells):
        name = row[0] if len(row[0]) <= wide[0] else f"{row[0][: wide[0] - 1]}…"
        last = len(row) - 1 if drawn else len(row)
        figures = [f"{cell:>{size}}" for cell, size in zip(row[1:last], wide[1:last], strict=True)]
        line = _GAP.join([f"{name:{wide[0]}}", *figures, *row[last:]]).rstrip()
        out.print(line, style="bold" if not number else None, markup=False, soft_wrap=True)


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def _whole(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _is_bar(rows: Sequence[Sequence[str]]) -> bool:
    return not any(letter.isalnum() for row in rows for letter in row[-1])


def _print_tax(out: Console, tax: Tax) -> None:
    heading(out, "Sent again", "tokens and dollars measured, their parts estimated")
    say(out, tax_sentences(tax))
    out.print()
    whole = max(tax.amount, 1)
    parts = [
        (
            PARTS[part.part],
            tokens(part.paid.tokens),
            usd(part.paid.amount),
            percent(part.paid.amount / whole),
            blocks(part.paid.amount / whole, _BAR),
        )
        for part in sorted(tax.parts, key=lambda part: -part.paid.amount)
        if part.paid.tokens
    ]
    if tax.beside:
        share = tax.beside / whole
        parts.append((BESIDE, "", usd(tax.beside), percent(share), blocks(share, _BAR)))
    print_table(out, ("part of the prompt", "tokens", "billed", "share", ""), parts)
    if tax.runs:
        out.print()
        runs = [
            (
                short_run(run.run).rpartition("/")[2],
                f"{run.calls:,}",
                usd(run.amount),
                percent(run.again / run.amount) if run.amount else "",
                verdict_sentence(run),
            )
            for run in tax.runs[:_ROWS]
        ]
        print_table(out, ("dearest runs", "calls", "input", "again", ""), runs)


def _print_results(out: Console, results: Results) -> None:
    heading(out, "Tool results", "estimated between billed totals")
    say(out, [results_sentence(results)])
    if not results.tools:
        return
    out.print()
    most = max(results.tools[0].paid.amount, 1)
    tools = [
        (
            tool.tool,
            f"{tool.results:,}",
            tokens(tool.tokens),
            f"{tool.resent:,}",
            usd(tool.paid.amount),
            blocks(tool.paid.amount / most, _BAR // 2),
        )
        for tool in results.tools[:_ROWS]
    ]
    print_table(out, ("tool", "results", "tokens", "sent again", "cost", ""), tools)
    out.print()
    for one in results.dearest[:3]:
        asked = f" {one.asked}" if one.asked else ""
        size = f"{tokens(one.tokens)} tokens, sent {times(one.calls)}"
        say(out, [f"Dearest: {one.tool}{asked}: {size}, {usd(one.paid.amount)}."])
        _look(out, one.where)


def _print_misses(out: Console, misses: Misses, billed: int) -> None:
    heading(out, "Cache misses", "tokens measured, loss estimated")
    say(out, [misses_sentence(misses)])
    if not misses.causes:
        return
    out.print()
    shown = worth_showing(misses, billed)
    most = max(shown[0].lost, 1)
    rows = [
        (
            f"{line.cause} (intended)" if line.intended else line.cause,
            f"{line.misses:,}",
            tokens(line.tokens),
            usd(line.lost),
            blocks(line.lost / most, _BAR),
        )
        for line in shown
    ]
    print_table(out, ("cause", "misses", "tokens", "lost", ""), rows)
    if rest := smaller_causes(misses, shown):
        say(out, [rest])
    for line in curable(shown)[:2]:
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
    rows = [
        (gap.gap, f"{gap.calls:,}", percent(gap.calls / calls), blocks(gap.calls / calls, _BAR))
        for gap in fit.gaps
    ]
    print_table(out, ("time since the call before", "calls", "share", ""), rows)


def _look(out: Console, where: str) -> None:
    out.print(f"  scrimp explain {typed(where)}", style="dim", markup=False, soft_wrap=True)
