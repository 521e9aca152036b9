"""Tokens per step of one run, drawn as stacked columns: what each request carried, and how it was paid for.

All panels of a run share one scale, so that heights compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import round_top
from scrimp.cli.numbers import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BILLED", "CARRIED", "PLOT_LEFT", "PLOT_RIGHT", "WIDTH", "Layer", "chart", "top_of_scale"]

WIDTH = 960
PLOT_LEFT = 52
PLOT_RIGHT = WIDTH - 8
TOP = 8
AXIS = 24


@dataclass(frozen=True, slots=True)
class Layer:
    """One category: its words in the legend and the class that colours it."""

    name: str
    css: str


CARRIED = (
    Layer("tools", "tools"),
    Layer("system", "system"),
    Layer("earlier messages", "messages"),
    Layer("earlier tool results", "results"),
    Layer("new in this step", "new"),
)
BILLED = (
    Layer("read from cache", "read"),
    Layer("written to cache", "write"),
    Layer("full price", "plain"),
    Layer("split not recorded", "unknown"),
)
"""Bottom to top: the cheapest kind of token first."""


def top_of_scale(stacks: Sequence[Sequence[int]]) -> int:
    """Return a round number of tokens that no stack exceeds."""
    return round_top(max((sum(stack) for stack in stacks), default=0))


def chart(
    layers: Sequence[Layer], stacks: Sequence[Sequence[int]], *, top: int, height: int, label: str
) -> Markup:
    """Return one SVG: a column per step, its layers stacked bottom up, `top` tokens at full `height`."""
    levels = [list(accumulate(stack, initial=0)) for stack in stacks]
    shapes = [
        tag("path", class_=f"layer {layer.css}", d=_outline(levels, number, top=top, height=height))
        for number, layer in enumerate(layers)
        if any(stack[number] for stack in stacks)
    ]
    grid = [_gridline(top * part // 2, top=top, height=height) for part in range(3)]
    cursor = tag("rect", class_="cursor", x=0, y=TOP, width=0, height=height)
    box = f"0 0 {WIDTH} {TOP + height + AXIS}"
    return tag(
        "svg",
        *grid,
        *shapes,
        *_step_labels(len(stacks), height),
        cursor,
        viewBox=box,
        role="img",
        aria_label=label,
    )


def _outline(levels: Sequence[Sequence[int]], layer: int, *, top: int, height: int) -> str:
    """The path of one layer: along the tops of its columns from left to right, back along their feet."""
    edges = [f"{_x(index, len(levels)):.1f}" for index in range(len(levels) + 1)]
    feet = [f"{_y(level[layer], top, height):.1f}" for level in levels]
    heads = [f"{_y(level[layer + 1], top, height):.1f}" for level in levels]
    there = "".join(f"V{head}H{edge}" for head, edge in zip(heads, edges[1:], strict=True))
    back = "".join(f"V{foot}H{edge}" for foot, edge in zip(reversed(feet), reversed(edges[:-1]), strict=True))
    return f"M{edges[0]} {feet[0]}{there}{back}Z"


def _x(index: int, count: int) -> float:
    return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * index / max(count, 1)


def _y(value: int, top: int, height: int) -> float:
    return TOP + height * (1 - value / top)


def _gridline(value: int, *, top: int, height: int) -> Markup:
    y = f"{_y(value, top, height):.1f}"
    line = tag("line", class_="grid", x1=PLOT_LEFT, x2=PLOT_RIGHT, y1=y, y2=y)
    return tag("g", line, tag("text", tokens(value), x=PLOT_LEFT - 8, y=y, dy="0.32em", text_anchor="end"))


def _step_labels(count: int, height: int) -> list[Markup]:
    """Step numbers under the columns, at most sixteen besides the first."""
    stride = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, count) if count <= 16 * size)
    shown = [index for index in range(count) if index == 0 or (index + 1) % stride == 0]
    return [_step_label(index, count, TOP + height + 16) for index in shown]


def _step_label(index: int, count: int, y: int) -> Markup:
    middle = (_x(index, count) + _x(index + 1, count)) / 2
    return tag("text", str(index + 1), x=f"{middle:.1f}", y=y, text_anchor="middle")
