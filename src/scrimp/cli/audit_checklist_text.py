"""The checklist in a terminal: what pays, dearest first, with the exact change; then what would not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from scrimp.cli.audit_text import heading, quoted, say
from scrimp.cli.audit_words import (
    BASIS,
    CONFIDENCE,
    assumed,
    bolder_sentence,
    monthly,
    sentence,
    together_sentence,
    usd,
)
from scrimp.cli.numbers import percent
from scrimp.core.audit.checklist_model import Checklist, Finding

__all__ = ["print_checklist"]

_INDENT = "   "
_BULLET = " \N{BULLET} "
_CARDS = 5
_ASSUMPTIONS = 2


def print_checklist(out: Console, checklist: Checklist) -> None:
    """Every lever, ranked by dollars a month; the first few with all there is to say."""
    heading(out, "What to change", "dollars a month of 30 days, scaled from the recorded time")
    paying = checklist.paying
    if not paying:
        say(out, ["No lever would have paid on these calls."])
    for number, finding in enumerate(paying[:_CARDS], start=1):
        out.print()
        _print_finding(out, number, finding)
    if len(paying) > _CARDS:
        out.print()
        _list(out, "Also pays", [f"{one.title}: {monthly(one)}. {one.change}" for one in paying[_CARDS:]])
    _print_totals(out, checklist)
    _print_rest(out, checklist)


def _print_totals(out: Console, checklist: Checklist) -> None:
    if checklist.together is None and checklist.bolder is None:
        return
    out.print()
    if checklist.together is not None:
        say(out, [together_sentence(checklist.together, checklist.billed)])
    if checklist.bolder is not None:
        say(out, [bolder_sentence(checklist.bolder, checklist.billed)])


def _print_finding(out: Console, number: int, finding: Finding) -> None:
    out.print(f"{number}. {finding.title}", style="bold", markup=False, soft_wrap=True)
    share = f", {percent(finding.share)} of the bill" if finding.share else ""
    worth = f"{_INDENT}{monthly(finding)}{share}, {CONFIDENCE[finding.confidence]}"
    out.print(worth, style="green", markup=False, soft_wrap=True)
    basis = f"{sentence(finding.says)} {sentence(BASIS[finding.basis])} {sentence(finding.because)}"
    _indented(out, basis.strip())
    _indented(out, f"Do: {finding.change}")
    for line in finding.setting.splitlines():
        out.print(f"{_INDENT}  {line}", style="cyan", markup=False, soft_wrap=True)
    if finding.risk:
        _indented(out, f"Risk: {finding.risk}")
    if finding.regret is not None and finding.regret.removed:
        regret = finding.regret
        _indented(
            out,
            f"Regret: {percent(regret.share)} of what it removes was used again later ({regret.uses:,} "
            f"times); fetching it again, {usd(regret.charged)}, is counted.",
        )
    if finding.assumptions:
        _indented(out, assumed(finding, _ASSUMPTIONS))
    for evidence in finding.evidence[:1]:
        look = f"{_INDENT}scrimp explain {quoted(evidence.where)}"
        out.print(look, style="dim", markup=False, soft_wrap=True)


def _print_rest(out: Console, checklist: Checklist) -> None:
    losing = [finding for finding in checklist.findings if finding.applies and not finding.pays]
    absent = sum(not finding.applies for finding in checklist.findings)
    if losing:
        out.print()
        said = [f"{one.title}: {monthly(one)}. {sentence(one.why_not or one.because)}" for one in losing]
        _list(out, "Would not have paid here", said)
    if absent:
        others = "1 other lever" if absent == 1 else f"{absent} other levers"
        out.print()
        say(out, [f"For {others} there is nothing here to work on: --json and --html say which, and why."])


def _list(out: Console, title: str, lines: Sequence[str]) -> None:
    out.print(title, style="bold")
    for line in lines:
        say(out, [line], indent=_BULLET)


def _indented(out: Console, text: str) -> None:
    say(out, [text], indent=_INDENT)
