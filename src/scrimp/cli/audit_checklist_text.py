"""The checklist in a terminal: what pays, dearest first, with the exact change; then what would not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from scrimp.cli.audit_checklist_words import (
    BASIS,
    CONFIDENCE,
    ONLY,
    assumed,
    followed_in,
    in_total,
    lost,
    monthly,
    regret_sentence,
    totals,
    would_lose,
)
from scrimp.cli.audit_text import heading, say
from scrimp.cli.audit_words import sentence
from scrimp.cli.explain_place import typed
from scrimp.cli.numbers import percent
from scrimp.core.audit.checklist_model import Checklist, Finding

__all__ = ["print_checklist"]

_INDENT = "   "
_BULLET = " \N{BULLET} "
_CARDS = 5
_LINES = 5
_ASSUMPTIONS = 2


def print_checklist(out: Console, checklist: Checklist) -> None:
    """Every lever, ranked by what it saves; the first few with all there is to say."""
    scaled = checklist.scaled
    heading(
        out,
        "What to change",
        "dollars a month of 30 days, scaled from the recorded time"
        if scaled
        else "dollars of the recorded calls, whose time makes no month",
    )
    paying = checklist.paying
    if not paying:
        say(out, ["No lever would have paid on these calls."])
    for number, finding in enumerate(paying[:_CARDS], start=1):
        out.print()
        _print_finding(out, number, finding, checklist)
    if len(paying) > _CARDS:
        out.print()
        out.print("Also pays", style="bold")
        for finding in paying[_CARDS:]:
            only = ONLY.get(followed_in(finding))
            worth = monthly(finding, scaled=scaled) + (f", {only}" if only else "")
            said = f"{finding.title}: {worth}. {finding.change}"
            say(out, [said], indent=_BULLET)
            _print_setting(out, finding)
    _print_totals(out, checklist)
    _print_rest(out, checklist)


def _print_setting(out: Console, finding: Finding) -> None:
    lines = finding.setting.splitlines()
    shown = lines if len(lines) <= _LINES + 1 else lines[:_LINES]
    for line in shown:
        out.print(f"{_INDENT}  {line}", style="cyan", markup=False, soft_wrap=True)
    if len(shown) < len(lines):
        out.print(f"{_INDENT}  … {len(lines) - len(shown)} more lines: --json", style="dim")


def _print_totals(out: Console, checklist: Checklist) -> None:
    said = totals(checklist)
    if said:
        out.print()
        say(out, said)


def _print_finding(out: Console, number: int, finding: Finding, checklist: Checklist) -> None:
    out.print(f"{number}. {finding.title}", style="bold", markup=False, soft_wrap=True)
    said = [
        monthly(finding, scaled=checklist.scaled),
        f"{percent(finding.share)} of the bill" if finding.share else "",
        CONFIDENCE[finding.confidence],
        in_total(finding, checklist),
        ONLY.get(followed_in(finding), ""),
    ]
    say(out, [", ".join(filter(None, said))], indent=_INDENT, style="green")
    basis = f"{sentence(finding.says)} {sentence(BASIS[finding.basis])} {sentence(finding.because)}"
    _indented(out, basis.strip())
    _indented(out, f"Do: {finding.change}")
    _print_setting(out, finding)
    if finding.risk:
        _indented(out, f"Risk: {finding.risk}")
    if finding.regret is not None and finding.regret.removed:
        _indented(out, f"Regret: {regret_sentence(finding.regret)}")
    if finding.assumptions:
        _indented(out, assumed(finding, _ASSUMPTIONS))
    for evidence in finding.evidence[:1]:
        look = f"{_INDENT}scrimp explain {typed(evidence.where)}"
        out.print(look, style="dim", markup=False, soft_wrap=True)


def _print_rest(out: Console, checklist: Checklist) -> None:
    losing = [finding for finding in checklist.findings if would_lose(finding)]
    absent = len(checklist.findings) - len(checklist.paying) - len(losing)
    if losing:
        out.print()
        _list(out, "Would not have paid here", [lost(one, scaled=checklist.scaled) for one in losing])
    if absent:
        others = "1 other lever" if absent == 1 else f"{absent} other levers"
        out.print()
        nothing = f"For {others} there is nothing here to gain: --json and --html say which, and why."
        say(out, [nothing])


def _list(out: Console, title: str, lines: Sequence[str]) -> None:
    out.print(title, style="bold")
    for line in lines:
        say(out, [line], indent=_BULLET)


def _indented(out: Console, text: str) -> None:
    say(out, [text], indent=_INDENT)
