"""The checklist: every lever weighed on the recorded calls, told in dollars and ranked by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scrimp.core.audit.cards import CARDS, Card
from scrimp.core.audit.checklist_model import (
    Amount,
    Checklist,
    Confidence,
    Evidence,
    Finding,
    Regret,
    Together,
)
from scrimp.core.audit.model import CauseLine, Misses, Span, TtlFit
from scrimp.core.audit.row_levers import Total
from scrimp.core.audit.weighed import Weighed
from scrimp.core.causes import Cause
from scrimp.core.money import rounded

__all__ = ["checklist"]

_WORTH_IT = 1_000
"""Picodollars: less than that is nothing."""
_WIDE = 2
_PLACES = 3
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
    misses: tuple[Misses | None, TtlFit | None],
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
    findings += _of_misses(*misses, span, billed)
    findings.sort(key=lambda one: (not one.pays, not one.applies, -one.saved.mid, one.lever))
    return Checklist(
        findings=tuple(findings),
        together=_together(together, span, billed),
        billed=billed,
        bolder=_together(bolder, span, billed) if bolder.singly != together.singly else None,
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
        monthly=_monthly(saved, span),
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
        why_not="" if applies else _NOT_SHOWN.get(card.lever, _NOTHING),
    )


def _confidence(card: Card, found: Weighed) -> tuple[Confidence, str]:
    if card.basis == "told":
        return "low", "it rests on what only you can know"
    if card.basis == "estimated":
        return "low", "it rests on an assumption that the recordings cannot check"
    if found.low <= 0 < found.high:
        return "low", "the interval holds zero"
    if found.high > _WIDE * max(found.low, 1) > 0:
        return "medium", "the interval is wide"
    if card.bold:
        return "medium", "the money is sure, whether the work is as good is not judged"
    return "high", "replayed through a model whose error on these bills is part of the interval"


def _regret(found: Weighed) -> Regret | None:
    removed = found.removed
    if removed is None:
        return None
    return Regret(removed.tokens, removed.uses, removed.share, removed.charged)


def _of_misses(misses: Misses | None, ttl: TtlFit | None, span: Span, billed: int) -> list[Finding]:
    """One finding for every cause of misses: what fixing it would have saved."""
    lines = misses.causes if misses is not None else ()
    return [_of_cause(line, _saved(line, ttl), span, billed) for line in lines]


def _saved(line: CauseLine, ttl: TtlFit | None) -> Amount:
    """What fixing a cause saves: at most what it lost, and half of it where some such misses stay.

    Of what expired, an hour's lifetime saves what was written again within the hour, at the price of dearer
    writes everywhere else.
    """
    if not _fixable(line):
        return Amount(0, 0, line.lost)
    if line.cause == Cause.EXPIRED and ttl is not None:
        mid = min(line.lost, ttl.rewritten)
        return Amount(max(0, min(mid, ttl.saved_by_1h)), mid, line.lost)
    return Amount(line.lost // 2, line.lost, line.lost)


def _fixable(line: CauseLine) -> bool:
    return not line.intended and not line.fix.startswith("None")


def _of_cause(line: CauseLine, saved: Amount, span: Span, billed: int) -> Finding:
    fixable = _fixable(line)
    sure = "what was lost is billed; that the fix prevents every such miss is not sure"
    return Finding(
        lever=f"miss: {line.cause}",
        title=f"Cache misses: {line.cause}",
        says=f"{line.misses:,} misses: {line.tokens:,} tokens, cached before, were paid anew for "
        f"${rounded(line.lost, 2)}",
        pays=fixable and saved.mid > _WORTH_IT,
        applies=True,
        saved=saved,
        monthly=_monthly(saved, span),
        share=_share(saved.mid, billed),
        basis="estimated",
        confidence="medium" if fixable else "low",
        because=sure if fixable else "there is nothing to change",
        risk="None: the model reads the same prompt." if fixable else "",
        change=line.fix,
        evidence=tuple(Evidence(where, line.cause) for where in line.examples[:_PLACES]),
        assumptions=("overlaps with lifetimes and keep-alive, which spare some of the same misses",),
    )


def _together(total: Total, span: Span, billed: int) -> Together | None:
    if not total.singly:
        return None
    found = total.sum.weighed("together")
    saved = Amount(found.low, found.mid, found.high)
    return Together(
        levers=_by_worth(total.singly),
        saved=saved,
        monthly=_monthly(saved, span),
        share=_share(found.mid, billed),
        summed=sum(total.singly.values()),
    )


def _by_worth(singly: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(singly, key=lambda lever: -singly[lever]))


def _monthly(saved: Amount, span: Span) -> Amount:
    return Amount(span.monthly(saved.low), span.monthly(saved.mid), span.monthly(saved.high))


def _share(amount: int, billed: int) -> float:
    return amount / billed if billed else 0.0
