"""Tool results, cache misses and lifetimes: what they cost, and where."""

from __future__ import annotations

from scrimp.cli.audit_html.shared import bar_row, figure, places, section, sentences, table
from scrimp.cli.audit_words import (
    count,
    misses_sentence,
    results_sentence,
    times,
    ttl_sentences,
    usd,
    worth_showing,
)
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import columns, plot, round_top, upright
from scrimp.cli.numbers import percent, tokens
from scrimp.core.audit.model import CauseLine, Gap, Misses, Results, TtlFit

__all__ = ["misses_section", "results_section", "ttl_section"]

_TOOLS = 12
_SINGLE = 10
_CAUSES = 7
_WITHIN: dict[Gap, str] = {"5–15 min": "write", "15–60 min": "write", "1–4 h": "plain", "> 4 h": "plain"}
_KEPT_BY = ("read", "write", "plain")
"""The colours of gaps that any lifetime outlives, that 1h does, that none does."""

_LAST_WITHIN: tuple[Gap, ...] = ("1–5 min", "15–60 min")
"""The last gaps that 5m and 1h outlive."""


def results_section(results: Results) -> Markup:
    """What each tool's results cost over all the calls that carried them."""
    most = max((tool.paid.amount for tool in results.tools), default=0) or 1
    shown = results.tools if len(results.tools) <= _TOOLS + 1 else results.tools[:_TOOLS]
    rows = [
        bar_row(
            tool.tool,
            f"{count(tool.results, 'result')}, {tokens(tool.tokens)} tokens, sent again {times(tool.resent)}",
            value=usd(tool.paid.amount),
            below=percent(tool.paid.amount / results.input_amount) if results.input_amount else "",
            share=tool.paid.amount / most,
            css="results",
        )
        for tool in shown
    ]
    more = len(results.tools) - len(shown)
    return section(
        "results",
        "Tool results",
        "estimated between bills",
        *sentences([results_sentence(results)]),
        *rows,
        tag("p", f"And {more:,} more tools: --json has all.", class_="lead") if more > 0 else None,
        _single(results),
    )


def _single(results: Results) -> Markup | None:
    if not results.dearest:
        return None
    shown = results.dearest[:_SINGLE]
    rows = [
        (
            tag("span", one.tool, tag("small", one.asked) if one.asked else None),
            tokens(one.tokens),
            f"{one.calls:,}",
            usd(one.paid.amount),
        )
        for one in shown
    ]
    heads = ("Result", "Tokens", "Sent", "Cost in all")
    looked = places([(one.where, f"{one.tool}, {usd(one.paid.amount)}") for one in shown])
    return tag("div", tag("h3", "The dearest single results"), table(heads, rows), looked)


def misses_section(misses: Misses, billed: int) -> Markup:
    """Misses by cause, and how to stop each."""
    most = max((line.lost for line in misses.causes), default=0) or 1
    shown = worth_showing(misses, billed)[:_CAUSES]
    rows = [_cause(line, most) for line in shown]
    rest = misses.causes[len(shown) :]
    if rest:
        summary = tag("summary", f"{len(rest):,} smaller causes, {usd(sum(line.lost for line in rest))}")
        rows.append(tag("details", summary, *(_cause(line, most) for line in rest)))
    looked = places([(where, line.cause) for line in shown for where in line.examples[:1]])
    lead = sentences([misses_sentence(misses)])
    return section("misses", "Cache misses", "loss estimated", *lead, *rows, looked)


def _cause(line: CauseLine, most: int) -> Markup:
    return bar_row(
        f"{line.cause} (intended)" if line.intended else line.cause,
        line.fix,
        value=usd(line.lost),
        below=count(line.misses, "miss"),
        share=line.lost / most,
        css="system" if line.intended else "plain",
    )


def ttl_section(fit: TtlFit) -> Markup:
    """Lifetimes paid for against the gaps there were."""
    return section(
        "ttl",
        "Lifetimes and gaps",
        "measured, savings estimated",
        *sentences(ttl_sentences(fit)),
        _gaps(fit),
    )


def _gaps(fit: TtlFit) -> Markup | None:
    calls = [gap.calls for gap in fit.gaps]
    if not sum(calls):
        return None
    bins, top = len(calls), round_top(max(calls))
    layers = [_KEPT_BY.index(_WITHIN.get(gap.gap, "read")) for gap in fit.gaps]
    stacks = [
        [gap.calls if at == layer else 0 for at in range(3)]
        for gap, layer in zip(fit.gaps, layers, strict=True)
    ]
    titles = [
        f"{gap.gap}: {count(gap.calls, 'call')}, {tokens(gap.tokens)} tokens shared" for gap in fit.gaps
    ]
    shapes = columns(stacks, _KEPT_BY, top, titles)
    names = [gap.gap for gap in fit.gaps]
    edges = [(names.index(last) + 1) / bins for last in _LAST_WITHIN if last in names]
    picture = plot(
        [*shapes, *map(upright, edges)],
        label="Calls by the time since the call they extend; lines at 5 minutes and at 1 hour",
        across=[((at + 0.5) / bins, gap.gap) for at, gap in enumerate(fit.gaps)],
        up=[(share, f"{round(top * share):,}") for share in (0.0, 0.5, 1.0)],
        height=200,
        named=True,
    )
    key = tag(
        "ul",
        tag("li", tag("i", class_="read"), "any lifetime holds"),
        tag("li", tag("i", class_="write"), "1h holds, 5m does not"),
        tag("li", tag("i", class_="plain"), "none holds"),
    )
    return figure("Calls by the time since the call they extend", "measured", key, picture)
