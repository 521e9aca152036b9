"""The demo's report as one self-contained HTML file: no network, light and dark, fit to print."""

from __future__ import annotations

from scrimp.cli.html import sections
from scrimp.cli.html.markup import tag
from scrimp.cli.html.page import MEASURED, bundled, page
from scrimp.cli.html.steps_section import readout_data, steps
from scrimp.cli.html.values import Bar, Basis, CalibrationSummary, Report, RunRow, Split, Step

__all__ = ["Bar", "Basis", "CalibrationSummary", "Report", "RunRow", "Split", "Step", "render"]


def render(report: Report) -> str:
    """Return the whole page; every text in `report` is escaped."""
    parts = [
        tag("h1", report.title),
        sections.calibration(report.calibration),
        sections.headline(report),
        sections.bars(report),
    ]
    if report.steps:
        parts.append(steps(report))
    if report.runs:
        parts.append(sections.run_table(report))
    return page(
        report.title,
        parts,
        styles=[bundled("page.css")],
        source=tag("p", report.generated_from),
        basis=[*MEASURED, ": worked out by scrimp’s model, whose own error stands at the top."],
        data=readout_data(report),
        script=bundled("page.js"),
    )
