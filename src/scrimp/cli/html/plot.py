"""Plots that fit any width: shapes in SVG that stretch, words in HTML that do not.

A shape's place is in thousandths of the plot's width and height, from the left and from the top. What stands
on the axes is text of its own beside the picture, so that it is as large on a phone as on a desk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from scrimp.cli.html.markup import Markup, tag

__all__ = ["UNIT", "areas", "bar", "columns", "legend", "plot", "round_top", "split_bar", "upright"]

UNIT = 1000
_GAP = 0.16
_TENTHS = (10, 15, 20, 30, 40, 50, 60, 80, 100)


def round_top(highest: int) -> int:
    """A round number that nothing exceeds: 1, 1.5, 2, 3, 4, 5, 6 or 8 and zeros."""
    unit = int("1" + "0" * max(len(str(highest)) - 2, 0))
    return next(unit * tenths for tenths in _TENTHS if unit * tenths >= highest)


def plot(
    shapes: Iterable[Markup],
    *,
    label: str,
    across: Sequence[tuple[float, str]],
    up: Sequence[tuple[float, str]],
    height: int = 220,
    named: bool = False,
) -> Markup:
    """A picture with its axes; `across` and `up` are (share of the width or height, text).

    `label` says in words what is seen: it is the picture's name for those who do not see it. `named`: what is
    across are names that share the width evenly, and may take a second line.
    """
    grid = [
        tag("line", class_="grid", x1=0, x2=UNIT, y1=_px(1 - share), y2=_px(1 - share)) for share, _ in up
    ]
    picture = tag(
        "svg",
        tag("title", label),
        *grid,
        *shapes,
        viewBox=f"0 0 {UNIT} {UNIT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        style=f"height:{height}px",
    )
    lines = [tag("span", text, style=f"bottom:{share:.2%}") for share, text in up]
    room = f";width:{1 / max(len(across), 1):.2%}" if named else ""
    places = [tag("span", text, style=f"left:{share:.2%}{room}") for share, text in across]
    return tag(
        "div",
        tag("div", *lines, class_="up", aria_hidden="true"),
        picture,
        tag("div", *places, class_="across", aria_hidden="true"),
        class_="plot named" if named else "plot",
    )


def columns(
    stacks: Sequence[Sequence[int]], css: Sequence[str], top: int, titles: Sequence[str]
) -> list[Markup]:
    """A column for each stack, its parts from the bottom up in the colours `css`; hovering says `titles`."""
    whole = UNIT / max(len(stacks), 1)
    found = []
    for at, (stack, title) in enumerate(zip(stacks, titles, strict=True)):
        edges = list(accumulate(stack, initial=0))
        parts = [
            tag(
                "rect",
                class_=colour,
                x=f"{whole * (at + _GAP / 2):.2f}",
                width=f"{whole * (1 - _GAP):.2f}",
                y=_px(1 - high / top),
                height=_px((high - low) / top),
            )
            for low, high, colour in zip(edges, edges[1:], css, strict=False)
            if high > low
        ]
        catcher = tag("rect", class_="catch", x=f"{whole * at:.2f}", width=f"{whole:.2f}", y=0, height=UNIT)
        found.append(tag("g", tag("title", title), catcher, *parts))
    return found


def areas(stacks: Sequence[Sequence[int]], css: Sequence[str], top: int) -> list[Markup]:
    """The layers of `stacks` from left to right, each a stepped area of its own colour upon those below."""
    levels = [list(accumulate(stack, initial=0)) for stack in stacks]
    edges = [f"{UNIT * at / max(len(levels), 1):.1f}" for at in range(len(levels) + 1)]
    return [
        tag("path", class_=colour, d=_outline(levels, edges, layer, top))
        for layer, colour in enumerate(css)
        if any(stack[layer] for stack in stacks)
    ]


def upright(share: float) -> Markup:
    """A line from top to bottom at a share of the width."""
    x = f"{UNIT * share:.1f}"
    return tag("line", class_="edge", x1=x, x2=x, y1=0, y2=UNIT)


def bar(share: float, css: str, *, low: float | None = None, high: float | None = None) -> Markup:
    """A lying bar, `share` of the width long; a whisker from `low` to `high` shows an interval."""
    shapes = [tag("rect", class_=css, x=0, y=150, height=700, width=_px(max(share, 0.004)))]
    if low is not None and high is not None:
        ends = [
            tag("line", class_="whisker", x1=_px(end), x2=_px(end), y1=300, y2=700) for end in (low, high)
        ]
        shapes += [tag("line", class_="whisker", x1=_px(low), x2=_px(high), y1=500, y2=500), *ends]
    return tag(
        "svg",
        *shapes,
        class_="lying",
        viewBox=f"0 0 {UNIT} {UNIT}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def split_bar(parts: Sequence[tuple[float, str, str]], label: str) -> Markup:
    """One lying bar of parts that make a whole: (share, colour, what hovering it says) from the left."""
    edges = list(accumulate((share for share, _, _ in parts), initial=0.0))
    shapes = [
        tag("rect", tag("title", said), class_=css, x=_px(low), y=0, height=UNIT, width=_px(share))
        for (share, css, said), low in zip(parts, edges, strict=False)
        if share > 0
    ]
    return tag(
        "svg",
        tag("title", label),
        *shapes,
        class_="lying split",
        viewBox=f"0 0 {UNIT} {UNIT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def legend(layers: Mapping[str, str]) -> Markup:
    """Name → colour, as a list."""
    return tag("ul", *(tag("li", tag("i", class_=css), name) for name, css in layers.items()))


def _outline(levels: Sequence[Sequence[int]], edges: Sequence[str], layer: int, top: int) -> str:
    """Along the tops of the steps from left to right, back along their feet."""
    feet = [_px(1 - level[layer] / top) for level in levels]
    heads = [_px(1 - level[layer + 1] / top) for level in levels]
    there = "".join(f"V{head}H{edge}" for head, edge in zip(heads, edges[1:], strict=True))
    back = "".join(f"V{foot}H{edge}" for foot, edge in zip(reversed(feet), reversed(edges[:-1]), strict=True))
    return f"M{edges[0]} {feet[0]}{there}{back}Z"


def _px(share: float) -> str:
    return f"{UNIT * share:.1f}"
