"""What an audit says in sentences, for the terminal and for the page alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from scrimp.cli.numbers import change, dollars, percent, tokens
from scrimp.core import money
from scrimp.core.audit.model import (
    Audit,
    Calibration,
    CauseLine,
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
    "BESIDE",
    "PARTS",
    "VERDICTS",
    "billed_sentences",
    "calibration_sentence",
    "count",
    "curable",
    "error_of",
    "misses_sentence",
    "results_sentence",
    "sentence",
    "short_run",
    "smaller_causes",
    "span_text",
    "tax_sentences",
    "times",
    "ttl_sentences",
    "usd",
    "verdict_sentence",
    "worth_showing",
]

API_EQUIVALENT = "Dollars of Claude Code sessions are API-equivalent, not a plan's bill."

_NOISE, _SMALL = 200, 20
"""A loss below these parts, of the bill and of all losses, is not told on its own."""

_JUDGED = 0.99
"""Where the calibration covers less of the input bill, it is said how much."""

_NO_FIX = ("None", "Nothing")

PARTS: Mapping[Part, str] = {
    "static": "tools and system",
    "tools": "tools",
    "system": "system",
    "messages": "earlier messages",
    "results": "earlier tool results",
    "new": "new",
}
BESIDE = "not told apart"
"""Input of calls whose own prompt is not known."""

VERDICTS: Mapping[Verdict, str] = {
    "growing": "growing",
    "bounded": "bounded",
    "too short": "too short to say",
}


_SESSION = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def sentence(text: str) -> str:
    """A text as a sentence of its own: a capital first, a full stop last; nothing stays nothing."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def count(number: int, noun: str) -> str:
    """So many of something: `1 call`, `2,000 calls`, `3 misses`."""
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def times(number: int) -> str:
    """How often: `once`, `12 times`."""
    return "once" if number == 1 else f"{number:,} times"


def usd(amount: int) -> str:
    """Picodollars as people read them."""
    return dollars(money.dollars(amount))


def short_run(run: str) -> str:
    """A run's name; of one that is a session's id its first part, which tells sessions apart."""
    found = _SESSION.match(run)
    return run if found is None else found[1]


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
    worst = max(found.sources, key=lambda source: abs(source.error), default=None)
    if worst is None or len(found.sources) < 2:
        return said
    return (
        f"{said} Furthest off of {len(found.sources):,} sources: {worst.source}, {error_of(worst)} of "
        f"{usd(worst.billed)}."
    )


def billed_sentences(audit: Audit) -> list[str]:
    """What was billed for what, over which time, and how to read the dollars."""
    least = "at least " if audit.output_doubtful else ""
    parts = [f"{usd(audit.input_billed)} for input", f"{least}{usd(audit.output_billed)} for output"]
    if fees := audit.billed - audit.input_billed - audit.output_billed:
        parts.append(f"{usd(fees)} in fees, for searches and the like")
    billed = (
        f"Billed {least}{usd(audit.billed)} (measured) for {count(audit.calls, 'call')} in "
        f"{count(audit.runs, 'run')}, {span_text(audit.span)}: {', '.join(parts)}."
    )
    said = [billed]
    judged = audit.calibration.whole if audit.calibration else None
    if judged is not None and judged.billed < _JUDGED * audit.input_billed:
        said.append(
            f"The calibration covers {usd(judged.billed)} of the input, {count(judged.calls, 'call')}; the "
            "rest could not be judged."
        )
    if audit.subscription:
        said.append(API_EQUIVALENT)
    if audit.output_doubtful:
        said.append(
            f"The output of {count(audit.output_doubtful, 'call')} was recorded as a placeholder, fewer "
            "tokens than there were: the bill was higher than that, and so is what sparing output would save."
        )
    if audit.floor is not None and audit.floor.floor:
        whole = audit.floor.billed >= _JUDGED * audit.input_billed
        same = "the same input" if whole else f"the {usd(audit.floor.billed)} of input that can be judged"
        bill = "the bill" if whole else "that part of the bill"
        said.append(
            f"The least any caching could have paid for {same} is {usd(audit.floor.floor)} "
            f"(estimated): {bill} is {audit.floor.multiple:.2f} times that."
        )
    return said


def tax_sentences(tax: Tax) -> list[str]:
    """How much was sent again, what that cost, and whether runs grow."""
    again, whole = tax.again, tax.amount
    sent = sum(part.paid.tokens for part in tax.parts)
    often = sent / max(sent - again.tokens, 1)
    share = percent(again.amount / whole) if whole else "0 %"
    sentence = (
        f"On average every token was sent {often:.1f} times: of {tokens(sent)} input tokens "
        f"{tokens(again.tokens)} had been sent before by the same run. They cost {usd(again.amount)}, "
        f"{share} of the input bill; without a cache they would have cost {usd(tax.uncached_again)}."
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
    missed = sum(line.misses for line in misses.causes)
    if not missed:
        return f"None of {count(misses.judged, 'call')} read less than was there for it."
    share = percent(missed / misses.judged) if misses.judged else ""
    return (
        f"{missed:,} of {count(misses.judged, 'call')} ({share}) read less than was there for them and lost "
        f"{usd(misses.lost)} against reading it."
    )


def worth_showing(misses: Misses, billed: int) -> Sequence[CauseLine]:
    """The dearest causes; one that would be left alone is shown too.

    Left out is what lost less than a two-hundredth of the bill and a twentieth of all that was lost.
    """
    causes = misses.causes
    least = min(billed / _NOISE, misses.lost / _SMALL)
    shown = [at < 1 or line.lost >= least for at, line in enumerate(causes)].count(True)
    return causes if shown + 1 >= len(causes) else causes[:shown]


def smaller_causes(misses: Misses, shown: Sequence[CauseLine]) -> str:
    """What of the causes is not shown; empty where all are."""
    rest = misses.causes[len(shown) :]
    if not rest:
        return ""
    missed, lost_there = sum(line.misses for line in rest), sum(line.lost for line in rest)
    return f"And {len(rest):,} more causes, {count(missed, 'miss')}, {usd(lost_there)}: --json has all."


def curable(causes: Sequence[CauseLine]) -> list[CauseLine]:
    """Those that somebody can do something about."""
    return [line for line in causes if not line.intended and not line.fix.startswith(_NO_FIX)]


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
