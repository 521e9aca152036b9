"""The table as a picture: one row a scenario, one dot a strategy, on a scale of multiples of the floor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import log

from benchmarks.caching.suite import FIXED, Row

__all__ = ["as_svg"]

_LEFT, _RIGHT, _TOP, _ROW = 150, 30, 92, 26
_WIDTH = 900
_LANE = 2.8
_TICKS = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)

_TITLE = "What caching strategies pay for the same traffic"
_SCALE = "input bill as a multiple of the floor, logarithmic; further left is cheaper"

_STYLE = """
svg { --ground: #ffffff; --ink: #1f2328; --soft: #6b7280; --line: #e5e7eb; --ours: #1d4ed8; }
@media (prefers-color-scheme: dark) {
  svg { --ground: #0d1117; --ink: #e6edf3; --soft: #9aa4b2; --line: #272d36; --ours: #79b0ff; }
}
text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--ink); }
.title { font-weight: 600; font-size: 15px; }
.soft { fill: var(--soft); font-size: 11px; }
.ground { fill: var(--ground); }
.grid { stroke: var(--line); }
.none { fill: #8b949e; } .auto { fill: #d29200; } .litellm { fill: #d1495b; } .langchain { fill: #2a9d6f; }
.pydantic-ai { fill: #b565c9; } .caller { fill: #2f9bbf; }
.expert { fill: none; stroke: var(--ink); stroke-width: 1.4; }
.scrimp { fill: var(--ours); } .cold { fill: none; stroke: var(--ours); stroke-width: 1.6; }
"""


def as_svg(rows: Sequence[Row]) -> str:
    """The picture; it follows the reader's light or dark setting."""
    height = _TOP + _ROW * len(rows) + 14
    most = max((paid.input_cost / row.floor for row in rows for paid in row.learned.values()), default=2.0)
    scale = _Scale(max(2.0, most * 1.05))
    size = f'width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {size} role="img">',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" {size}/>',
        f'<text class="title" x="16" y="24">{_TITLE}</text>',
        f'<text class="soft" x="16" y="41">{_SCALE}</text>',
        *_legend(rows),
        *_grid(scale, height),
    ]
    for number, row in enumerate(rows):
        parts += _row(row, _TOP + _ROW * number + _ROW / 2, scale)
    return "\n".join([*parts, "</svg>", ""])


class _Scale:
    """Multiples of the floor to pixels."""

    def __init__(self, most: float) -> None:
        self.most = most

    def __call__(self, ratio: float) -> float:
        share = log(max(ratio, 1.0)) / log(self.most)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _legend(rows: Sequence[Row]) -> Iterator[str]:
    played = {name for row in rows for name in row.learned}
    names = [name for name in (*FIXED, "expert", "scrimp") if name in played]
    at = 16.0
    for name in names:
        yield from (_mark(name, at + 4, 60), f'<text x="{at + 13}" y="64">{name}</text>')
        at += 30 + 6.8 * len(name)
    if "scrimp" in played:
        yield _mark("cold", at + 4, 60)
        yield f'<text x="{at + 13}" y="64">scrimp, nothing learned yet</text>'


def _grid(scale: _Scale, height: int) -> Iterator[str]:
    for tick in _TICKS:
        if tick <= scale.most:
            x = scale(tick)
            yield f'<line class="grid" x1="{x}" y1="{_TOP - 2}" x2="{x}" y2="{height - 8}"/>'
            yield f'<text class="soft" x="{x}" y="{_TOP - 7}" text-anchor="middle">{tick:g}×</text>'


def _row(row: Row, middle: float, scale: _Scale) -> Iterator[str]:
    title = f"<title>{escape(row.about)}</title>"
    yield f'<text x="{_LEFT - 12}" y="{middle + 4}" text-anchor="end">{escape(row.name)}{title}</text>'
    ratios = {name: paid.input_cost / row.floor for name, paid in row.learned.items()}
    lanes = [name for name in FIXED if name in ratios]
    for lane, name in enumerate(lanes):
        y = middle + (lane - (len(lanes) - 1) / 2) * _LANE
        yield _mark(name, scale(ratios[name]), y, f"{row.name}, {name}: {ratios[name]:.3f}×")
    for name in ("expert", "scrimp"):
        if name in ratios:
            yield _mark(name, scale(ratios[name]), middle, f"{row.name}, {name}: {ratios[name]:.3f}×")
    if "scrimp" in row.cold:
        cold = row.cold["scrimp"].input_cost / row.floor
        yield _mark("cold", scale(cold), middle, f"{row.name}, scrimp, cold: {cold:.3f}×")


def _mark(name: str, x: float, y: float, title: str = "") -> str:
    said = f"<title>{escape(title)}</title>" if title else ""
    if name == "expert":
        corners = f"{x},{y - 5.5} {x + 5.5},{y} {x},{y + 5.5} {x - 5.5},{y}"
        return f'<polygon class="{name}" points="{corners}">{said}</polygon>'
    radius = {"scrimp": 4.5, "cold": 6.5}.get(name, 3.0)
    return f'<circle class="{name}" cx="{x}" cy="{round(y, 1)}" r="{radius}">{said}</circle>'
