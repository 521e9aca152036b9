"""The checklist: every lever weighed on the recorded calls, told in dollars and ranked by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from scrimp.core.audit.cards import CARDS, Card
from scrimp.core.audit.checklist_model import (
    Amount,
    Checklist,
    Confidence,
    Finding,
    Regret,
    Together,
)
from scrimp.core.audit.miss_findings import miss_findings
from scrimp.core.audit.model import Misses, Span
from scrimp.core.audit.row_levers import Total
from scrimp.core.audit.weighed import Weighed

__all__ = ["checklist"]

_WORTH_IT = 1_000
"""Picodollars: less than that is nothing."""
_WIDE = 2
_OFF = 0.03
"""The model's error on the bills, as a share, from which on a figure is not to be trusted much."""
_LIFETIMES = frozenset({"ttl-5m", "ttl-1h"})
_NOTHING = "nothing in these recordings that it is for"
_NOT_SHOWN = {
    "early-stop": "recordings of finished answers do not show where an answer was complete",
    "warm-up": "a warm-up saves time to the first token, not money: it pays the write the first call would",
    "small-model": "fewer than 20 short conversations of one source on a dearer model",
    "one-route": "no run's calls went to more than one provider",
    "offload": "no tool result of more than 8,000 tokens",
    "batch": "no run is one single call",
    "unused-tools": "no tool definition that is recorded whole went unused in 20 requests",
    "tool-cache": "no tool was asked the same and answered the same twice in one run, as far as recorded",
    "loop-guard": "no tool call was repeated more than three times in a row, as far as recorded",
    "runaway": "no run is far above its peers (or there are fewer than 8)",
    "fees": "no web search, no fast mode, no regional endpoint",
    "successor": "no model in use has a newer one of its family that is no dearer",
}


def checklist(
    weighed: Iterable[Weighed],
    misses: Misses | None,
    totals: tuple[Total, Total],
    span: Span,
    billed: int,
) -> Checklist:
    """Every lever as a finding, those that pay first, and the totals of levers replayed together."""
    together, bolder = totals
    in_total = frozenset(together.singly) | frozenset(bolder.singly)
    known = {one.lever: one for one in weighed}
    findings = [
        _finding(card, known.get(lever, Weighed(lever=lever)), span, billed, in_total=lever in in_total)
        for lever, card in CARDS.items()
    ]
    findings += miss_findings(misses, span, billed)
    findings = _one_of(_LIFETIMES, findings)
    findings.sort(key=lambda one: (not one.pays, not one.applies, -one.saved.mid, one.lever))
    return Checklist(
        findings=tuple(findings),
        together=_together(together, span, billed),
        billed=billed,
        bolder=_together(bolder, span, billed) if bolder.singly != together.singly else None,
        scaled=span.scales,
    )


def _finding(card: Card, found: Weighed, span: Span, billed: int, *, in_total: bool) -> Finding:
    applies = found.cases > 0
    saved = Amount(found.low, found.mid, found.high)
    confidence, because = _confidence(card, found)
    assumptions = (*([card.assumes] if card.assumes and applies else []), *found.notes)
    return Finding(
        lever=card.lever,
        title=card.title,
        says=found.says or (f"{found.cases:,} calls would have been billed otherwise" if applies else ""),
        pays=applies and found.mid > _WORTH_IT,
        applies=applies,
        saved=saved,
        monthly=saved.monthly(span),
        share=_share(found.mid, billed),
        basis=card.basis,
        confidence=confidence,
        because=because,
        risk=card.risk,
        change=found.change or card.change,
        setting=found.setting or card.setting,
        evidence=found.evidence,
        regret=_regret(found),
        assumptions=tuple(dict.fromkeys(assumptions)),
        in_total=in_total,
        why_not=_why_not(card, applies=applies, pays=applies and found.mid > _WORTH_IT),
    )


def _one_of(levers: frozenset[str], findings: list[Finding]) -> list[Finding]:
    """Of levers that exclude one another the one that saves most pays."""
    rivals = [one for one in findings if one.lever in levers and one.pays]
    best = max(rivals, key=lambda one: one.saved.mid, default=None)
    if best is None:
        return findings
    title = f"{best.title[:1].lower()}{best.title[1:]}"
    why = f"for all sources alike {title} saves more; the total takes the better of both for each source"
    return [
        replace(one, pays=False, why_not=why) if one in rivals and one is not best else one
        for one in findings
    ]


def _why_not(card: Card, *, applies: bool, pays: bool) -> str:
    if not applies:
        return _NOT_SHOWN.get(card.lever, _NOTHING)
    return "" if pays else card.loses


def _confidence(card: Card, found: Weighed) -> tuple[Confidence, str]:
    doubt = _doubt(card, found)
    if doubt:
        return "low", doubt
    if found.high > _WIDE * max(found.low, 1) > 0:
        return "medium", "the interval is wide"
    if card.bold:
        return "medium", "what it costs is replayed; whether the work is as good is not judged"
    return "high", "replayed through a model whose error on these bills is part of the interval"


def _doubt(card: Card, found: Weighed) -> str:
    """Why a figure is not to be trusted much, if so."""
    if card.basis == "told":
        return "no recording shows whether it suits this work"
    if card.basis == "estimated":
        return "the recordings cannot check them"
    if found.low <= 0 < found.high:
        return "the interval holds zero"
    if found.untimed:
        return "no times were recorded: how long entries lived is a guess"
    return f"the model is {100 * found.off:.1f} % off on these bills" if found.off > _OFF else ""


def _regret(found: Weighed) -> Regret | None:
    removed = found.removed
    if removed is None:
        return None
    return Regret(removed.tokens, removed.uses, removed.share, removed.charged)


def _together(total: Total, span: Span, billed: int) -> Together | None:
    if not total.singly:
        return None
    found = total.sum.weighed("together")
    saved = Amount(found.low, found.mid, found.high)
    return Together(
        levers=_by_worth(total.singly),
        saved=saved,
        monthly=saved.monthly(span),
        share=_share(found.mid, billed),
        summed=sum(total.singly.values()),
    )


def _by_worth(singly: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(singly, key=lambda lever: -singly[lever]))


def _share(amount: int, billed: int) -> float:
    return amount / billed if billed else 0.0
