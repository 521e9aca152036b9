"""What was sent again with every step: the parts of all prompts, and the dearest runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scrimp.cli.audit_html.shared import figure, section, sentences, table
from scrimp.cli.audit_words import BESIDE, PARTS, short_run, tax_sentences, usd, verdict_sentence
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import areas, legend, plot, round_top, split_bar
from scrimp.cli.numbers import percent, tokens
from scrimp.core.audit.model import Part, PartCost, RunTax, StepTax, Tax

__all__ = ["tax_section"]

_ORDER: tuple[Part, ...] = ("static", "tools", "system", "messages", "results", "new")
_LABELS = 6
_RUNS = 8


def tax_section(tax: Tax) -> Markup:
    """The stateless tax."""
    return section(
        "tax",
        "Sent again with every step",
        "measured, parts estimated",
        *sentences(tax_sentences(tax)),
        _whole(tax),
        _steps(tax.runs),
        _runs(tax.runs),
        _projects(tax.projects),
    )


def _whole(tax: Tax) -> Markup | None:
    found = {part.part: part for part in tax.parts if part.paid.tokens}
    whole = tax.amount
    if not found or not whole:
        return None
    shown = [name for name in _ORDER if name in found]
    parts: list[tuple[float, str, str]] = [
        (
            found[name].paid.amount / whole,
            name,
            f"{PARTS[name]}: {usd(found[name].paid.amount)}, {percent(found[name].paid.amount / whole)}",
        )
        for name in shown
    ]
    rows: list[tuple[Markup | str, ...]] = [
        (
            tag("span", tag("i", class_=name), PARTS[name]),
            tokens(found[name].paid.tokens),
            usd(found[name].paid.amount),
            percent(found[name].paid.amount / whole),
            usd(found[name].again.amount),
        )
        for name in shown
    ]
    if tax.beside:
        rows.append(
            (
                tag("span", tag("i", class_="unknown"), BESIDE),
                "",
                usd(tax.beside),
                percent(tax.beside / whole),
                "",
            )
        )
        told = f"{BESIDE}: {usd(tax.beside)}, {percent(tax.beside / whole)}"
        parts.append((tax.beside / whole, "unknown", told))
    picture = split_bar(parts, "The input bill by part of the prompt")
    heads = ("Part of the prompt", "Tokens sent", "Billed", "Share", "Of it again")
    return tag("div", figure("The input bill", "measured", None, picture), table(heads, rows))


def _steps(runs: Sequence[RunTax]) -> Markup | None:
    run = next((run for run in runs if len(run.steps) > 1), None)
    if run is None:
        return None
    steps = run.steps
    shown = [name for name in _ORDER if any(step.parts.get(name) for step in steps)]
    stacks = [[step.parts.get(name, 0) for name in shown] for step in steps]
    top = round_top(max(map(sum, stacks)))
    label = f"Tokens of each request of {run.run}, the dearest run, by part"
    picture = plot(
        areas(stacks, shown, top),
        label=label,
        across=_step_labels(steps),
        up=[(share, tokens(round(top * share))) for share in (0.0, 0.5, 1.0)],
    )
    title = f"The dearest run, step by step: {short_run(run.run)}, {usd(run.amount)} for input"
    return figure(title, "estimated between bills", legend({PARTS[name]: name for name in shown}), picture)


def _step_labels(steps: Sequence[StepTax]) -> list[tuple[float, str]]:
    count = len(steps)
    stride = next(
        (size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000) if count <= _LABELS * size), count
    )
    return [((at + 0.5) / count, str(at + 1)) for at in range(count) if at == 0 or (at + 1) % stride == 0]


def _projects(projects: Mapping[str, Sequence[PartCost]]) -> Markup | None:
    """How much of each project's input had been sent before."""
    if len(projects) < 2:
        return None
    sums = {
        name: (sum(part.paid.amount for part in parts), sum(part.again.amount for part in parts))
        for name, parts in projects.items()
    }
    dearest = sorted(sums.items(), key=lambda item: -item[1][0])
    rows = [
        (name, usd(whole), usd(again), percent(again / whole) if whole else "")
        for name, (whole, again) in dearest
    ]
    summary = tag("summary", f"Each of {len(rows):,} projects")
    return tag("details", summary, table(("Project", "Input", "Of it again", "Share"), rows))


def _runs(runs: Sequence[RunTax]) -> Markup | None:
    if not runs:
        return None
    rows = [
        (
            tag("span", short_run(run.run), tag("small", f"{run.project}, {verdict_sentence(run)}")),
            f"{run.calls:,}",
            usd(run.amount),
            tag("span", usd(run.again), tag("small", percent(run.again / run.amount) if run.amount else "")),
        )
        for run in runs
    ]
    heads = ("Run", "Calls", "Input", "Of it again")
    rest = tag("details", tag("summary", f"{len(rows) - _RUNS:,} more"), table(heads, rows[_RUNS:]))
    return tag(
        "div",
        tag("h3", "The dearest runs"),
        table(heads, rows[:_RUNS]),
        rest if len(rows) > _RUNS else None,
    )
