"""What a checklist says in sentences, for the terminal and for the page alike."""

from __future__ import annotations

from collections.abc import Mapping

from scrimp.cli.audit_words import sentence, times, usd
from scrimp.cli.numbers import percent
from scrimp.core.audit.checklist_model import (
    Amount,
    Basis,
    Checklist,
    Confidence,
    Finding,
    Regret,
    Together,
)

__all__ = [
    "BASIS",
    "CHIPS",
    "CONFIDENCE",
    "ONLY",
    "assumed",
    "followed_in",
    "in_total",
    "interval",
    "lost",
    "monthly",
    "period",
    "regret_sentence",
    "totals",
    "worth",
    "would_lose",
]

BASIS: Mapping[Basis, str] = {
    "measured": "measured: billed usage at published prices",
    "replayed": "estimated: these calls replayed through the cache and price model",
    "estimated": "estimated: rests on the assumptions named",
    "told": "only you can tell: rests on what the recording does not show",
}
CHIPS: Mapping[Basis, str] = {
    "measured": "measured",
    "replayed": "estimated by replay",
    "estimated": "estimated",
    "told": "only you can tell",
}
"""The same in a word or two."""

CONFIDENCE: Mapping[Confidence, str] = {
    "high": "high confidence",
    "medium": "medium confidence",
    "low": "low confidence",
}


_CLAUDE_CODE = ("export ", "scrimp run ", "claude ", "echo ")
"""How lines begin that are for users of Claude Code; what begins as below serves everyone."""
_EVERYONE = ("[", "0 ")

ONLY: Mapping[tuple[str, ...], str] = {
    ("claude-code",): "Claude Code only",
    ("code",): "your own code only",
}
"""Where advice can be followed, if not everywhere; keys are those of `followed_in`."""


def followed_in(finding: Finding) -> tuple[str, ...]:
    """Who can follow a finding: `claude-code`, `code` that calls the API, or both; empty: no line to copy."""
    lines = [line for line in finding.setting.splitlines() if line.strip()]
    if any(line.startswith(_EVERYONE) for line in lines):
        return ("claude-code", "code")
    theirs = [line.startswith(_CLAUDE_CODE) for line in lines]
    found = (("claude-code", any(theirs)), ("code", not all(theirs)))
    return tuple(who for who, can in found if can)


def assumed(finding: Finding, most: int) -> str:
    """What a finding assumes, the first few of many: `Assumes: …; …; and 4 more.`"""
    told = list(finding.assumptions[:most])
    more = len(finding.assumptions) - len(told)
    return f"Assumes: {'; '.join([*told, *([f'and {more} more'] if more else [])])}." if told else ""


def interval(amount: Amount) -> str:
    """`$8.10 to $15.20`; empty where the interval is a point."""
    low, high = usd(amount.low), usd(amount.high)
    return "" if low == high else f"{low} to {high}"


def worth(finding: Finding, *, scaled: bool) -> Amount:
    """What a finding saves: a month, or on the recorded calls where those make no month."""
    return finding.monthly if scaled else finding.saved


def period(*, scaled: bool) -> str:
    """What `worth` is told of."""
    return "a month" if scaled else "on these calls"


def monthly(finding: Finding, *, scaled: bool = True) -> str:
    """What a finding is worth: `$12.30 a month ($8.10 to $15.20)`, `$1.20 on these calls`."""
    return _amount(worth(finding, scaled=scaled), scaled=scaled)


def _amount(amount: Amount, *, scaled: bool) -> str:
    spread = interval(amount)
    return f"{usd(amount.mid)} {period(scaled=scaled)}" + (f" ({spread})" if spread else "")


def lost(finding: Finding, *, scaled: bool = True) -> str:
    """Why a finding that applies does not pay: `TITLE: −$3.10 a month (−$4 to −$2). Why.`"""
    why = sentence(finding.why_not or finding.because)
    money_lost = f"{monthly(finding, scaled=scaled)}. " if finding.saved.mid else ""
    return f"{finding.title}: {money_lost}{why}"


def would_lose(finding: Finding) -> bool:
    """Whether a finding applies and would have cost money; those worth nothing at all are noise."""
    return finding.applies and not finding.pays and finding.saved.low < 0


def regret_sentence(regret: Regret) -> str:
    """How much of what a lever removes was needed after all."""
    if regret.share > 1:
        used = f"What it removes was used again later, {regret.share:.1f} times over"
    else:
        used = f"{percent(regret.share)} of what it removes was used again later"
    return f"{used} ({times(regret.uses)}); fetching it again, {usd(regret.charged)}, is counted."


def _together(together: Together, billed: int, *, scaled: bool = True) -> str:
    """All that pays, replayed together: nothing is saved twice."""
    return (
        f"Together, replayed as one: {_amount(_total(together, scaled=scaled), scaled=scaled)}, "
        f"{percent(together.share)} of the bill. "
        f"Over the recorded time {usd(billed)} would have been {usd(billed - together.saved.mid)}, "
        f"{usd(together.saved.mid)} less; added up one by one the same changes would claim "
        f"{usd(together.summed)}."
    )


def _bolder(bolder: Together, billed: int, *, scaled: bool = True) -> str:
    """What pays in all, where prompts or models may change too."""
    return (
        "With the changes that touch what a prompt holds or which model answers as well: "
        f"{_amount(_total(bolder, scaled=scaled), scaled=scaled)}, "
        f"{percent(bolder.share)} of the bill; {usd(billed)} would have been {usd(billed - bolder.saved.mid)}"
        "."
    )


def _total(together: Together, *, scaled: bool) -> Amount:
    """What is saved in a month, or over the recorded time."""
    return together.monthly if scaled else together.saved


def totals(checklist: Checklist) -> list[str]:
    """What pays in all, each total followed by the changes it is made of; empty where nothing is."""
    together, bolder, scaled = checklist.together, checklist.bolder, checklist.scaled
    titles = {finding.lever: finding.title for finding in checklist.findings}
    said = []
    if together is not None:
        named = "; ".join(titles.get(lever, lever) for lever in together.levers)
        said += [_together(together, checklist.billed, scaled=scaled), f"In it: {named}."]
    if bolder is not None:
        known = () if together is None else together.levers
        named = "; ".join(titles.get(lever, lever) for lever in bolder.levers if lever not in known)
        lead = "In it" if together is None else "Added to it"
        said += [_bolder(bolder, checklist.billed, scaled=scaled)]
        said += [f"{lead}: {named}."] if named else []
    return said


def in_total(finding: Finding, checklist: Checklist) -> str:
    """Which total a finding is part of; empty where it is in none."""
    together, bolder = ((total.levers if total else ()) for total in (checklist.together, checklist.bolder))
    if finding.lever in together:
        return "in the total"
    return "in the bolder total" if finding.lever in bolder else ""
