"""What an audit says in sentences, for the terminal and for the page alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from scrimp.cli.numbers import change, dollars, percent, tokens
from scrimp.core import money
from scrimp.core.audit.checklist_model import Amount, Basis, Confidence, Finding, Together
from scrimp.core.audit.model import (
    Audit,
    Calibration,
    Misses,
    Part,
    Results,
    RunTax,
    SourceCalibration,
    Span,
    Tax,
    TtlFit,
    Verdict,
)

__all__ = [
    "API_EQUIVALENT",
    "BASIS",
    "CONFIDENCE",
    "PARTS",
    "VERDICTS",
    "assumed",
    "billed_sentences",
    "bolder_sentence",
    "calibration_sentence",
    "error_of",
    "interval",
    "misses_sentence",
    "monthly",
    "results_sentence",
    "sentence",
    "short_run",
    "span_text",
    "tax_sentences",
    "together_sentence",
    "ttl_sentences",
    "usd",
    "verdict_sentence",
]

API_EQUIVALENT = "Dollars of Claude Code sessions are API-equivalent, not a plan's bill."

PARTS: Mapping[Part, str] = {
    "static": "tools and system",
    "tools": "tools",
    "system": "system",
    "messages": "earlier messages",
    "results": "earlier tool results",
    "new": "new",
}
VERDICTS: Mapping[Verdict, str] = {
    "growing": "growing",
    "bounded": "bounded",
    "too short": "too short to say",
}
BASIS: Mapping[Basis, str] = {
    "measured": "measured: billed usage at published prices",
    "replayed": "estimated: these calls replayed through the cache and price model",
    "estimated": "estimated: rests on the assumptions named",
    "told": "only you can tell: rests on what the recording does not show",
}
CONFIDENCE: Mapping[Confidence, str] = {
    "high": "high confidence",
    "medium": "medium confidence",
    "low": "low confidence",
}


_SESSION = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def sentence(text: str) -> str:
    """A text as a sentence of its own: a capital first, a full stop last; nothing stays nothing."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def usd(amount: int) -> str:
    """Picodollars as people read them."""
    return dollars(money.dollars(amount))


def short_run(run: str) -> str:
    """A run's name; of one that is a session's id its first part, which tells sessions apart."""
    found = _SESSION.match(run)
    return run if found is None else found[1]


def assumed(finding: Finding, most: int) -> str:
    """What a finding assumes, the first few of many: `Assumes: …; …; and 4 more.`"""
    told = list(finding.assumptions[:most])
    more = len(finding.assumptions) - len(told)
    return f"Assumes: {'; '.join([*told, *([f'and {more} more'] if more else [])])}." if told else ""


def span_text(span: Span) -> str:
    """When the calls happened: `2026-01-05 to 2026-08-20 (227 days)`."""
    if span.began is None or span.ended is None:
        return "no times recorded: taken as one day"
    began, ended = (datetime.fromtimestamp(at, UTC).date() for at in (span.began, span.ended))
    days = "1 day" if span.days < 1.05 else f"{span.days:,.0f} days"
    return f"{began} ({days})" if began == ended else f"{began} to {ended} ({days})"


def error_of(source: SourceCalibration) -> str:
    """How far the model is from the bill: `+0.3 %`."""
    return change(money.dollars(source.billed), money.dollars(source.model))


def calibration_sentence(found: Calibration | None) -> str:
    """How far the estimates below can be trusted; comes before any of them."""
    if found is None:
        return "Calibration: no call here can judge the cache model; estimates below are unproven."
    whole = found.whole
    said = (
        f"Calibration: the model puts the input of {whole.calls:,} billed calls at {usd(whole.model)}, "
        f"billed were {usd(whole.billed)} ({error_of(whole)}); {percent(whole.foreseen)} of the cache reads "
        "were foreseen within 1 %."
    )
    worst = max(found.sources, key=lambda source: abs(source.model - source.billed), default=None)
    if worst is None or len(found.sources) < 2:
        return said
    return f"{said} Furthest off of {len(found.sources):,} sources: {worst.source} ({error_of(worst)})."


def billed_sentences(audit: Audit) -> list[str]:
    """What was billed for what, over which time, and how to read the dollars."""
    runs = "1 run" if audit.runs == 1 else f"{audit.runs:,} runs"
    calls = "1 call" if audit.calls == 1 else f"{audit.calls:,} calls"
    parts = f"{usd(audit.input_billed)} for input, {usd(audit.output_billed)} for output"
    said = [f"Billed {usd(audit.billed)} (measured) for {calls} in {runs}, {span_text(audit.span)}: {parts}."]
    if audit.subscription:
        said.append(API_EQUIVALENT)
    if audit.output_doubtful:
        said.append(
            f"The output of {audit.output_doubtful:,} calls was recorded as a placeholder: theirs was more."
        )
    if audit.floor is not None and audit.floor.floor:
        said.append(
            f"The least any caching could have paid for the same input is {usd(audit.floor.floor)} "
            f"(estimated): the bill is {audit.floor.multiple:.2f} times that."
        )
    return said


def tax_sentences(tax: Tax) -> list[str]:
    """How much was sent again, what that cost, and whether runs grow."""
    again, whole = tax.again, tax.amount
    sent = sum(part.paid.tokens for part in tax.parts)
    times = sent / max(sent - again.tokens, 1)
    share = percent(again.amount / whole) if whole else "0 %"
    sentence = (
        f"Every token was sent {times:.1f} times: of {tokens(sent)} input tokens {tokens(again.tokens)} had "
        f"been sent before by the same run. They cost {usd(again.amount)}, {share} of the input bill; "
        f"without a cache they would have cost {usd(tax.uncached_again)}."
    )
    said = [sentence]
    judged = tax.growing + tax.bounded
    if judged == 1:
        said.append("The run grows with every step." if tax.growing else "The run stays bounded.")
    elif judged:
        said.append(
            f"{tax.growing:,} of {judged:,} runs long enough to judge grow with every step, "
            f"{tax.bounded:,} stay bounded."
        )
    return said


def verdict_sentence(run: RunTax) -> str:
    """Whether a run grows: `growing by 1.2k tokens a step`."""
    if run.verdict == "growing":
        return f"growing by {tokens(max(round(run.slope), 0))} tokens a step"
    return VERDICTS[run.verdict]


def results_sentence(results: Results) -> str:
    """What tool results cost in all."""
    return (
        f"Tool results cost {usd(results.paid.amount)} over all the calls that carried them, "
        f"{percent(results.share)} of the input bill (lengths estimated between billed totals)."
    )


def misses_sentence(misses: Misses) -> str:
    """What misses cost in all."""
    count = sum(line.misses for line in misses.causes)
    if not count:
        return f"None of {misses.judged:,} calls read less than was there for it."
    share = percent(count / misses.judged) if misses.judged else ""
    return (
        f"{count:,} of {misses.judged:,} calls ({share}) read less than was there for them and lost "
        f"{usd(misses.lost)} against reading it."
    )


def ttl_sentences(fit: TtlFit) -> list[str]:
    """How the lifetimes paid for fit the gaps there were."""
    written = fit.written.tokens
    if not written:
        return ["Nothing was written to the cache."]
    never = f"{tokens(fit.never_read)} of {tokens(written)} written tokens"
    share = percent(fit.never_read / written)
    said = [f"{never} ({share}) were never read; writing them cost {usd(fit.wasted)} more than plain input."]
    if fit.expired:
        more = "saved" if fit.saved_by_1h >= 0 else "cost"
        said.append(
            f"{tokens(fit.expired)} tokens were written again after 5 to 60 minutes, for "
            f"{usd(fit.rewritten)}; "
            f"1h for all would have {more} {usd(abs(fit.saved_by_1h))}, its dearer writes included."
        )
    if fit.one_hour:
        said.append(
            f"{tokens(fit.one_hour)} tokens were written for 1h; for {tokens(fit.hour_not_needed)} of them "
            f"5m would have done, {usd(fit.spared_by_5m)} cheaper."
        )
    return said


def interval(amount: Amount) -> str:
    """`$8.10 to $15.20`; empty where the interval is a point."""
    low, high = usd(amount.low), usd(amount.high)
    return "" if low == high else f"{low} to {high}"


def monthly(finding: Finding) -> str:
    """What a finding is worth a month: `$12.30 a month ($8.10 to $15.20)`."""
    spread = interval(finding.monthly)
    return f"{usd(finding.monthly.mid)} a month" + (f" ({spread})" if spread else "")


def together_sentence(together: Together, billed: int) -> str:
    """All that pays, replayed together: nothing is saved twice."""
    spread = interval(together.monthly)
    return (
        f"Together, replayed as one: {usd(together.monthly.mid)} a month"
        f"{f' ({spread})' if spread else ''}, {percent(together.share)} of the bill. "
        f"Over the recorded time {usd(billed)} would have been {usd(billed - together.saved.mid)}, "
        f"{usd(together.saved.mid)} less; added up one by one the same changes would claim "
        f"{usd(together.summed)}."
    )


def bolder_sentence(bolder: Together, billed: int) -> str:
    """What pays in all, where prompts or models may change too."""
    spread = interval(bolder.monthly)
    return (
        "With the changes that touch what a prompt holds or which model answers as well: "
        f"{usd(bolder.monthly.mid)} a month{f' ({spread})' if spread else ''}, "
        f"{percent(bolder.share)} of the bill; {usd(billed)} would have been {usd(billed - bolder.saved.mid)}"
        "."
    )
