"""The whole page of an audit, from values to one HTML file."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.cli.audit_faults import left_out, one_line_a_file
from scrimp.cli.audit_html.checklist import checklist_section
from scrimp.cli.audit_html.findings import misses_section, results_section, ttl_section
from scrimp.cli.audit_html.head import calibration, headline
from scrimp.cli.audit_html.spend import spend_section
from scrimp.cli.audit_html.tax import tax_section
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.page import MEASURED, bundled, page
from scrimp.core.audit.model import Audit
from scrimp.core.spend import Dimension, Spend

__all__ = ["render_audit"]

_TITLE = "Where your tokens went, and what to change"
_NAMES = {
    "spend": "Spend",
    "tax": "Sent again",
    "results": "Tool results",
    "misses": "Cache misses",
    "ttl": "Lifetimes",
    "levers": "What to change",
}


def render_audit(
    audit: Audit, spend: Spend | None, by: Sequence[Dimension], scope: Sequence[str] = ()
) -> str:
    """The page, every text of it escaped.

    `by` says what spending is told apart by, `scope` what was audited, and by whom and when.
    """
    sections = {
        "spend": None if spend is None else spend_section(spend, by),
        "tax": None if audit.tax is None else tax_section(audit.tax),
        "results": None if audit.results is None else results_section(audit.results),
        "misses": None if audit.misses is None else misses_section(audit.misses, audit.billed),
        "ttl": None if audit.ttl is None else ttl_section(audit.ttl),
        "levers": None if audit.levers is None else checklist_section(audit.levers),
    }
    there = {name: part for name, part in sections.items() if part is not None}
    parts = [
        tag("h1", _TITLE),
        tag("p", " \N{MIDDLE DOT} ".join(scope), class_="scope") if scope else None,
        calibration(audit.calibration),
        headline(audit),
        tag("nav", *(tag("a", _NAMES[name], href=f"#{name}") for name in there), aria_label="Sections"),
        *there.values(),
    ]
    return page(
        _TITLE,
        parts,
        styles=[bundled(name) for name in ("page.css", "plot.css", "audit.css")],
        source=_notes(audit),
        basis=[
            *MEASURED,
            ": worked out by scrimp’s model, whose own error stands at the top. Days are UTC.",
        ],
    )


def _notes(audit: Audit) -> Markup:
    said = [*audit.notes, left_out(audit.skipped)]
    said += [f"Could not be read: {line}" for line in one_line_a_file(audit.faults)]
    return tag("ul", *(tag("li", one) for one in said if one))
