"""The terminal tables: the same numbers as the page, in 80 columns."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from scrimp.cli.figures import calibration_figures
from scrimp.cli.html.values import CalibrationSummary
from scrimp.cli.text_tables import bills_table, calibration_panel, runs_table
from tests.cli.sample import sample_report

if TYPE_CHECKING:
    from rich.console import RenderableType


def printed(table: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words(text: str) -> str:
    """The text of a table without its frame and line breaks."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("width", [80, 100, 160])
def test_tables_fit_and_lose_no_number(width: int) -> None:
    report = sample_report()
    tables = (calibration_panel(report.calibration), bills_table(report), runs_table(report))
    text = "".join(printed(table, width) for table in tables)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for number in (
        "97.8 %",
        "2.1 %",
        "99.1 %",
        "+0.3 %",
        "$7.83",
        "$1.98",
        "−61.3 %",
        "4.112",
        "0.353",
        "86 %",
        "1.972",
    ):
        assert number in text


def test_the_calibration_panel_says_what_the_figures_mean() -> None:
    text = words(printed(calibration_panel(sample_report().calibration)))
    assert "Calibration: 730 billed calls in 29 runs" in text
    assert "of 412 cached calls" in text
    assert "Another 31 read a cache filled before the recording began: 96.8 %. (measured)" in text
    assert "The model prices the billed calls at $5.42; the provider billed $5.40. (measured)" in text


def test_bars_of_blocks_are_drawn_to_scale() -> None:
    lines = printed(bills_table(sample_report())).splitlines()
    cells = [line.count("█") for line in lines if "$" in line]
    # 22 cells for 7.8257 dollars; whole cells of 5.4038, 2.0928, 1.9782 and 1.9723
    assert cells == [22, 15, 5, 5, 5]


def test_names_are_printed_as_they_are() -> None:
    report = sample_report()
    first, *others = report.runs
    marked = replace(report, runs=(replace(first, run="[bold]run[/bold]"), *others))
    assert "[bold]run[/bold]" in printed(runs_table(marked), 160)


def test_groups_without_calls_are_left_out() -> None:
    nothing = CalibrationSummary(runs=1, calls=0, cache_calls=0, cache_within_1pct=0.0)
    assert calibration_figures(nothing) == ()
    only_tokens = replace(
        nothing, token_calls=5, token_median_error=0.02, token_p95_error=0.1, token_coverage=1.0
    )
    assert [figure.name for figure in calibration_figures(only_tokens)] == ["Token estimate", "Interval kept"]
    only_bill = replace(nothing, model_usd=Decimal(1), billed_usd=Decimal(2))
    assert [(figure.name, figure.value) for figure in calibration_figures(only_bill)] == [
        ("Bill reproduced", "−50.0 %")
    ]
