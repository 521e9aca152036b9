"""The top of the page: how far to trust it, what was billed, and what to change first."""

from __future__ import annotations

from scrimp.cli.audit_checklist_words import period, worth
from scrimp.cli.audit_html.shared import anchor, bar_row, chip, table
from scrimp.cli.audit_words import billed_sentences, error_of, usd
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.numbers import change, percent
from scrimp.core import money
from scrimp.core.audit.checklist_model import Together
from scrimp.core.audit.model import Audit, Calibration

__all__ = ["calibration", "headline"]

_FIRST = 3


def calibration(found: Calibration | None) -> Markup:
    """The model against the bills, before anything that rests on it."""
    heading = tag("h2", "First: how well the model reproduces what was billed")
    if found is None:
        lead = tag(
            "p", "No call here can judge the cache model: estimates below are unproven.", class_="lead"
        )
        return tag("section", heading, lead, class_="calibration")
    whole = found.whole
    figures = [
        _figure(
            "Input bill reproduced",
            error_of(whole),
            f"The model puts {whole.calls:,} billed calls at {usd(whole.model)}; "
            f"billed were {usd(whole.billed)}.",
        ),
        _figure(
            "Reads foreseen",
            percent(whole.foreseen),
            "of the calls read from the cache what the model had foreseen, within 1 % of their input.",
        ),
        _figure(
            "Not explained",
            f"{whole.unexplained:,}",
            "calls whose bill shows an entry gone early, or one that no recorded call wrote.",
        ),
    ]
    lead = tag(
        "p",
        "Each call was foreseen from the bills before it alone. What is called estimated below is off by "
        "about as much.",
        class_="lead",
    )
    strip = tag("dl", *figures, class_="strip")
    return tag("section", heading, lead, strip, _sources(found), class_="calibration")


def headline(audit: Audit) -> Markup:
    """Billed, with everything that pays changed at once, and the floor."""
    checklist = audit.levers
    together = checklist.together if checklist is not None else None
    billed = money.dollars(audit.billed)
    least = "Billed, at least" if audit.output_doubtful else "Billed"
    amounts = [_amount(least, usd(audit.billed), "measured", "before")]
    if together is not None:
        after = audit.billed - together.saved.mid
        amounts += [
            tag("span", "\N{RIGHTWARDS ARROW}", class_="arrow", aria_label="becomes"),
            _amount("With the changes below, together", usd(after), "estimated", "after"),
            tag("strong", change(billed, money.dollars(after)), class_="change"),
        ]
    said = tag("ul", *(tag("li", one) for one in billed_sentences(audit)))
    return tag(
        "section", tag("p", *amounts, class_="amounts"), *_bars(audit), said, _first(audit), class_="headline"
    )


def _figure(name: str, value: str, meaning: str) -> Markup:
    return tag(
        "div",
        tag("dt", name, chip("measured")),
        tag("dd", value, class_="value"),
        tag("dd", meaning),
        class_="figure",
    )


def _sources(found: Calibration) -> Markup | None:
    if len(found.sources) < 2:
        return None
    rows = [
        (
            one.source,
            f"{one.calls:,}",
            usd(one.billed),
            usd(one.model),
            error_of(one),
            percent(one.foreseen),
        )
        for one in found.sources
    ]
    heads = ("Source", "Calls", "Billed input", "By the model", "Off", "Reads foreseen")
    summary = tag("summary", f"Each of {len(found.sources):,} sources")
    return tag("details", summary, table(heads, rows))


def _amount(name: str, amount: str, said: str, role: str) -> Markup:
    label = tag("span", name, chip(said), class_="label")
    return tag("span", label, tag("b", amount), class_=role)


def _bars(audit: Audit) -> list[Markup]:
    """Billed against all changes together, bolder ones too, and against the floor, where they are known."""
    levers, billed = audit.levers, audit.billed
    totals = [
        (
            "With the changes below",
            "replayed together; same prompts, same models",
            levers and levers.together,
        ),
        ("With bolder changes", "also of what a prompt holds, or of the model", levers and levers.bolder),
    ]
    widest = max([billed, 1, *(billed - one.saved.low for _, _, one in totals if one)])
    rows = [
        bar_row(
            "Billed", "input and output", value=usd(billed), below="", share=billed / widest, css="strong"
        )
    ]
    rows += [_with(name, note, one, billed, widest) for name, note, one in totals if one]
    if audit.floor is not None and audit.floor.floor:
        least = max(billed - audit.floor.billed + audit.floor.floor, 0)
        rows.append(
            bar_row(
                "Least by caching alone",
                "the same contents, the best markers and lifetimes in hindsight",
                value=usd(least),
                below=change(money.dollars(billed), money.dollars(least)),
                share=least / widest,
                css="least",
            )
        )
    return rows if len(rows) > 1 else []


def _with(name: str, note: str, together: Together, billed: int, widest: int) -> Markup:
    saved = together.saved
    after = billed - saved.mid
    return bar_row(
        name,
        note,
        value=usd(after),
        below=change(money.dollars(billed), money.dollars(after)),
        share=after / widest,
        css="gain",
        spread=((billed - saved.high) / widest, (billed - saved.low) / widest),
    )


def _first(audit: Audit) -> Markup | None:
    """The dearest changes, as links to what is said of each."""
    if audit.levers is None or not audit.levers.paying:
        return None
    scaled = audit.levers.scaled
    items = [
        tag(
            "li",
            tag("a", finding.title, href=f"#lever-{anchor(finding.lever)}"),
            f": {usd(worth(finding, scaled=scaled).mid)} {period(scaled=scaled)}",
        )
        for finding in audit.levers.paying[:_FIRST]
    ]
    return tag("div", tag("h3", "What to change first"), tag("ol", *items, class_="changes"))
