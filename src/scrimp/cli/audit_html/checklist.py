"""The checklist on the page: a card for each lever that pays, and what is said of the others."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.cli.audit_html.shared import anchor, chip, places, section
from scrimp.cli.audit_words import (
    BASIS,
    CONFIDENCE,
    assumed,
    bolder_sentence,
    interval,
    sentence,
    together_sentence,
    usd,
)
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import bar
from scrimp.cli.numbers import percent
from scrimp.core.audit.checklist_model import Checklist, Finding

__all__ = ["checklist_section"]

_CARDS = 8
_ASSUMPTIONS = 2


def checklist_section(checklist: Checklist) -> Markup:
    """Every lever, ranked by dollars a month."""
    paying = checklist.paying
    most = max((finding.monthly.high for finding in paying), default=0) or 1
    nothing = None if paying else tag("p", "No lever would have paid on these calls.")
    lead = tag(
        "p",
        "Each was replayed on these very calls. Dollars are per month of 30 days, scaled from the recorded "
        "time; the line on a bar is its interval.",
        class_="lead",
    )
    together = checklist.together
    bolder = checklist.bolder
    whole = [
        tag("p", together_sentence(together, checklist.billed)) if together else None,
        tag("p", bolder_sentence(bolder, checklist.billed)) if bolder else None,
    ]
    return section(
        "levers",
        "What to change",
        "estimated",
        lead,
        nothing,
        tag("div", *whole, class_="together") if any(whole) else None,
        *(_card(number, finding, most) for number, finding in enumerate(paying[:_CARDS], start=1)),
        _smaller(paying[_CARDS:], most),
        _losing(checklist),
        _absent(checklist),
    )


def _card(number: int, finding: Finding, most: int) -> Markup:
    monthly = finding.monthly
    spread = (max(monthly.low, 0) / most, monthly.high / most) if interval(monthly) else (None, None)
    worth = tag(
        "div",
        tag("b", usd(monthly.mid)),
        tag("small", f"a month{f', {interval(monthly)}' if interval(monthly) else ''}"),
        bar(max(monthly.mid, 0) / most, "gain", low=spread[0], high=spread[1]),
        class_="worth",
    )
    chips = tag(
        "p",
        tag("span", f"{percent(finding.share)} of the bill", class_="chip"),
        tag("span", CONFIDENCE[finding.confidence], class_="chip"),
        chip(finding.basis),
        class_="chips",
    )
    return tag(
        "article",
        tag("h3", f"{number}. {finding.title}"),
        worth,
        chips,
        tag("div", *_told(finding)),
        class_="lever",
        id=f"lever-{anchor(finding.lever)}",
    )


def _smaller(findings: Sequence[Finding], most: int) -> Markup | None:
    """What pays too, but less: one list to open."""
    if not findings:
        return None
    worth = sum(finding.monthly.mid for finding in findings)
    summary = tag("summary", f"{len(findings):,} smaller ones, {usd(worth)} a month if they did not overlap")
    cards = [_card(number, finding, most) for number, finding in enumerate(findings, start=_CARDS + 1)]
    return tag("details", summary, *cards, class_="smaller")


def _told(finding: Finding) -> list[Markup | None]:
    regret = finding.regret
    said = None
    if regret is not None and regret.removed:
        said = tag(
            "p",
            f"{percent(regret.share)} of what it removes was used again later ({regret.uses:,} times); "
            f"fetching it again, {usd(regret.charged)}, is counted.",
            class_="quiet",
        )
    return [
        tag("p", sentence(finding.says)),
        tag("p", tag("b", "Do: "), finding.change),
        tag("pre", tag("code", finding.setting)) if finding.setting else None,
        tag("p", tag("b", "Risk: "), finding.risk, class_="quiet") if finding.risk else None,
        said,
        *_assumptions(finding),
        tag("p", f"{sentence(BASIS[finding.basis])} {sentence(finding.because)}", class_="quiet"),
        places([(one.where, one.note) for one in finding.evidence]),
    ]


def _assumptions(finding: Finding) -> list[Markup]:
    """In a line where they are few, to be opened where they are many."""
    if not finding.assumptions:
        return []
    if len(finding.assumptions) <= _ASSUMPTIONS:
        return [tag("p", assumed(finding, _ASSUMPTIONS), class_="quiet")]
    items = [tag("li", sentence(one)) for one in finding.assumptions]
    summary = tag("summary", f"It rests on {len(items)} assumptions")
    return [tag("details", summary, tag("ul", *items, class_="rest"))]


def _losing(checklist: Checklist) -> Markup | None:
    losing = [finding for finding in checklist.findings if finding.applies and not finding.pays]
    if not losing:
        return None
    items = [
        tag(
            "li",
            tag("b", finding.title),
            f": {usd(finding.monthly.mid)} a month. {sentence(finding.why_not or finding.because)}",
        )
        for finding in losing
    ]
    return tag("div", tag("h3", "Would not have paid here"), tag("ul", *items, class_="rest"))


def _absent(checklist: Checklist) -> Markup | None:
    absent = [finding for finding in checklist.findings if not finding.applies]
    if not absent:
        return None
    items = [tag("li", tag("b", finding.title), f": {sentence(finding.why_not)}") for finding in absent]
    return tag("div", tag("h3", "Nothing here that they are for"), tag("ul", *items, class_="rest"))
