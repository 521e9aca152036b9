"""The figures as tables for people and as JSON for programs."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.timing import Row, Section

__all__ = ["as_json", "machine", "print_tables"]

_LEAST_WIDTH = 100
_CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def as_json(sections: list[Section]) -> dict[str, Any]:
    """Plain values: every row with its median, quartiles and ratio to its baseline."""
    return {
        "machine": machine(),
        "sections": {
            section.name: {
                "title": section.title,
                "unit": section.unit,
                "about": section.about,
                "rows": [_row_json(row) for row in section.rows],
            }
            for section in sections
        },
    }


def print_tables(sections: list[Section]) -> None:
    """One table a section; the baseline's line says so."""
    console = Console(highlight=False, emoji=False)
    console.width = max(console.width, _LEAST_WIDTH)
    console.print("  ".join(machine().values()), style="dim")
    for section in sections:
        console.print()
        console.print(f"[bold]{section.title}[/bold]  {section.about}")
        console.print(_table(section))


def _table(section: Section) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column(section.unit, justify="right", no_wrap=True)
    table.add_column("quartiles", justify="right", no_wrap=True)
    table.add_column("× baseline", justify="right", no_wrap=True)
    if any(row.note for row in section.rows):
        table.add_column("")
    for row in section.rows:
        ratio = "baseline" if row.is_baseline else f"{row.ratio:.2f}"
        median, low, high = map(_number, row.figure)
        notes = [row.note] if row.note else []
        style = "dim" if row.is_baseline else ""
        table.add_row(row.name, median, f"{low} – {high}", ratio, *notes, style=style)
    return table


def _number(figure: float) -> str:
    """Three digits that count, and no more."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "median": row.figure.median,
        "quartiles": [row.figure.low, row.figure.high],
        "ratio": row.ratio,
        "baseline": row.is_baseline,
    }


def _cpu() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown CPU"
