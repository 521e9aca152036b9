"""The demo's report as one self-contained HTML file: no network, light and dark, fit to print."""

from __future__ import annotations

from importlib.resources import files
from string import Template

from scrimp.cli.html import sections
from scrimp.cli.html.markup import tag
from scrimp.cli.html.steps_section import readout_data, steps
from scrimp.cli.html.values import Bar, Basis, CalibrationSummary, Report, RunRow, Split, Step

__all__ = ["Bar", "Basis", "CalibrationSummary", "Report", "RunRow", "Split", "Step", "bundled", "render"]


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
    return Template(bundled("page.html")).substitute(
        title=tag("title", report.title),
        style=bundled("page.css"),
        body="\n".join(parts),
        source=tag("p", report.generated_from),
        basis=tag(
            "p",
            tag("b", "Measured"),
            ": billed usage at the provider’s published prices. ",
            tag("b", "Estimated"),
            ": worked out by scrimp’s model, whose own error stands at the top.",
        ),
        data=readout_data(report),
        script=bundled("page.js"),
    )


def bundled(name: str) -> str:
    """The text of a file beside this one."""
    return files("scrimp.cli.html").joinpath(name).read_text(encoding="utf-8")
