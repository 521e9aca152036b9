"""The checklist on the page: a card for each lever that pays, and what is said of the others."""

from __future__ import annotations

from scrimp.cli.audit_checklist_words import (
    BASIS,
    CHIPS,
    CONFIDENCE,
    ONLY,
    assumed,
    followed_in,
    in_total,
    interval,
    lost,
    period,
    regret_sentence,
    totals,
    worth,
    would_lose,
)
from scrimp.cli.audit_html.shared import anchor, chip, places, section
from scrimp.cli.audit_words import sentence, usd
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import bar
from scrimp.cli.numbers import percent
from scrimp.core.audit.checklist_model import Checklist, Finding

__all__ = ["checklist_section"]

_CARDS = 8
_ASSUMPTIONS = 2


def checklist_section(checklist: Checklist) -> Markup:
    """Every lever, ranked by what it saves."""
    paying, scaled = checklist.paying, checklist.scaled
    most = max((worth(finding, scaled=scaled).high for finding in paying), default=0) or 1
    nothing = None if paying else tag("p", "No lever would have paid on these calls.")
    told = (
        "Dollars are per month of 30 days, scaled from the recorded time"
        if scaled
        else "Dollars are of the recorded calls, whose time is too short, or unknown, to speak of a month"
    )
    lead = tag(
        "p",
        "What is marked ",
        tag("b", CHIPS["replayed"]),
        f" was replayed on these very calls; the others rest on what their card names. {told}; the line on a "
        "bar is its interval.",
        class_="lead",
    )
    return section(
        "levers",
        "What to change",
        "estimated",
        lead,
        nothing,
        _totals(checklist),
        *(_card(number, finding, checklist, most) for number, finding in enumerate(paying[:_CARDS], start=1)),
        _smaller(checklist, most),
        _losing(checklist),
        _absent(checklist),
    )


def _totals(checklist: Checklist) -> Markup | None:
    said = totals(checklist)
    return tag("div", *(tag("p", one) for one in said), class_="together") if said else None


def _card(number: int, finding: Finding, checklist: Checklist, most: int) -> Markup:
    amount = worth(finding, scaled=checklist.scaled)
    spread = (max(amount.low, 0) / most, amount.high / most) if interval(amount) else (None, None)
    unit = period(scaled=checklist.scaled)
    beside = tag(
        "div",
        tag("b", usd(amount.mid)),
        tag("small", f"{unit}{f', {interval(amount)}' if interval(amount) else ''}"),
        bar(max(amount.mid, 0) / most, "gain", low=spread[0], high=spread[1]),
        class_="worth",
    )
    total, only = in_total(finding, checklist), ONLY.get(followed_in(finding))
    chips = tag(
        "p",
        tag("span", f"{percent(finding.share)} of the bill", class_="chip"),
        tag("span", CONFIDENCE[finding.confidence], class_="chip"),
        chip(CHIPS[finding.basis]),
        tag("span", total, class_="chip") if total else None,
        tag("span", only, class_="chip") if only else None,
        class_="chips",
    )
    return tag(
        "article",
        tag("h3", f"{number}. {finding.title}"),
        beside,
        chips,
        tag("div", *_told(finding)),
        class_="lever",
        id=f"lever-{anchor(finding.lever)}",
    )


def _smaller(checklist: Checklist, most: int) -> Markup | None:
    """What pays too, but less: one list to open."""
    findings = checklist.paying[_CARDS:]
    if not findings:
        return None
    dearest = usd(worth(findings[0], scaled=checklist.scaled).mid)
    unit = period(scaled=checklist.scaled)
    summary = tag("summary", f"{len(findings):,} smaller ones, {dearest} {unit} or less each")
    cards = [
        _card(number, finding, checklist, most) for number, finding in enumerate(findings, start=_CARDS + 1)
    ]
    return tag("details", summary, *cards, class_="smaller")


def _told(finding: Finding) -> list[Markup | None]:
    regret = finding.regret
    missed = tag("p", regret_sentence(regret), class_="quiet") if regret and regret.removed else None
    return [
        tag("p", sentence(finding.says)),
        tag("p", tag("b", "Do: "), finding.change),
        _setting(finding.setting) if finding.setting else None,
        tag("p", tag("b", "Risk: "), finding.risk, class_="quiet") if finding.risk else None,
        missed,
        *_assumptions(finding),
        tag("p", f"{sentence(BASIS[finding.basis])} {sentence(finding.because)}", class_="quiet"),
        places([(one.where, one.note) for one in finding.evidence]),
    ]


def _setting(lines: str) -> Markup:
    """Lines to copy; one that is too long goes on further in."""
    return tag("pre", *(tag("code", f"{line}\n") for line in lines.splitlines()))


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
    losing = [finding for finding in checklist.findings if would_lose(finding)]
    if not losing:
        return None
    items = [
        tag(
            "li",
            tag("b", finding.title),
            lost(finding, scaled=checklist.scaled).removeprefix(finding.title),
        )
        for finding in losing
    ]
    return tag("div", tag("h3", "Would not have paid here"), tag("ul", *items, class_="rest"))


def _absent(checklist: Checklist) -> Markup | None:
    absent = [one for one in checklist.findings if not one.pays and not would_lose(one)]
    if not absent:
        return None
    items = [
        tag("li", tag("b", finding.title), f": {sentence(finding.why_not or finding.because)}")
        for finding in absent
    ]
    return tag("div", tag("h3", "Nothing to gain here"), tag("ul", *items, class_="rest"))
