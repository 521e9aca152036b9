"""One run step by step: its panels, the list to choose the run from, the numbers to read off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrimp.cli.html.markup import Markup, embedded_json, tag
from scrimp.cli.html.sections import chip
from scrimp.cli.html.steps_chart import BILLED, CARRIED, PLOT_LEFT, PLOT_RIGHT, WIDTH, chart, top_of_scale
from scrimp.cli.numbers import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scrimp.cli.html.steps_chart import Layer
    from scrimp.cli.html.values import Basis, Report, Step

__all__ = ["readout_data", "steps"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a run: its title, where its numbers come from, one stack of tokens per step."""

    title: str
    basis: Basis
    layers: tuple[Layer, ...]
    stacks: tuple[tuple[int, ...], ...]
    height: int

    @property
    def used(self) -> tuple[Layer, ...]:
        """The layers that have any tokens."""
        return tuple(
            layer for number, layer in enumerate(self.layers) if any(stack[number] for stack in self.stacks)
        )


def steps(report: Report) -> Markup:
    """Tokens per step of one run, chosen from a list; without scripts the first run is shown."""
    names = list(report.steps)
    options = [tag("option", name, value=str(number)) for number, name in enumerate(names)]
    chooser = tag("label", "Run ", tag("select", *options, id="choose-run"), class_="chooser")
    heading = tag("div", tag("h2", "Tokens, step by step"), chooser, class_="heading")
    runs = [_run(number, name, report.steps[name], report.after) for number, name in enumerate(names)]
    return tag("section", heading, *runs, tag("div", id="readout", hidden=True), class_="steps")


def readout_data(report: Report) -> Markup:
    """The numbers behind the charts as JSON, for the readout that follows the pointer."""
    runs = [
        [
            {"title": p.title, "stacks": p.stacks, "layers": [[x.name, x.css] for x in p.layers]}
            for p in panels
        ]
        for panels in (_panels(run, report.after) for run in report.steps.values())
    ]
    return embedded_json(
        {"left": PLOT_LEFT / WIDTH, "right": PLOT_RIGHT / WIDTH, "width": WIDTH, "runs": runs}
    )


def _run(number: int, name: str, run: Sequence[Step], after: str) -> Markup:
    panels = _panels(run, after)
    top = top_of_scale([stack for panel in panels for stack in panel.stacks])
    figures = [_figure(panel, run=name, top=top) for panel in panels]
    title = tag("h3", name, class_="print-only")
    lead = tag("p", _carried_again(run), class_="lead")
    return tag("div", title, lead, *figures, class_="run", data_run=number, hidden=number > 0, tabindex=0)


def _panels(run: Sequence[Step], after: str) -> list[Panel]:
    carried = tuple((s.tools, s.system, s.earlier_messages, s.earlier_results, s.new) for s in run)
    planned = tuple((s.planned.read, s.planned.write, s.planned.plain, 0) for s in run if s.planned)
    panels = [
        Panel("What each request carried", "estimated", CARRIED, carried, 200),
        Panel("How it was billed", "measured", BILLED, tuple(map(_billed, run)), 130),
    ]
    if planned and len(planned) == len(run):
        panels.append(Panel(f"With {after}", "estimated", BILLED, planned, 130))
    return panels


def _billed(step: Step) -> tuple[int, ...]:
    if step.write is None or step.read is None:
        return (0, 0, 0, step.plain)
    return (step.read, step.write, step.plain, 0)


def _figure(panel: Panel, *, run: str, top: int) -> Markup:
    legend = [tag("li", tag("i", class_=layer.css), layer.name) for layer in panel.used]
    head = tag("figcaption", tag("b", panel.title), chip(panel.basis), tag("ul", *legend))
    label = f"{panel.title}, tokens per step of {run}"
    picture = chart(panel.layers, panel.stacks, top=top, height=panel.height, label=label)
    return tag("figure", head, tag("div", picture, class_="scroll"))


def _carried_again(run: Sequence[Step]) -> str:
    sent = sum(step.prompt for step in run)
    first = run[0].prompt if run else 0
    distinct = first + sum(step.new for step in run[1:])
    if not distinct:
        return "No tokens recorded."
    return (
        f"{len(run):,} requests carried {tokens(sent)} tokens, about {tokens(distinct)} of them different: "
        f"on average, each was sent {sent / distinct:.1f} times."
    )
