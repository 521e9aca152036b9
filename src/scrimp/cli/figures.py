"""The calibration figures in words, for the page and for the terminal alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrimp.cli.numbers import change, dollars, percent

if TYPE_CHECKING:
    from scrimp.cli.html.values import Basis, CalibrationSummary

__all__ = ["Figure", "calibration_figures"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its name, where it comes from, and a sentence that says what it means."""

    name: str
    value: str
    basis: Basis
    meaning: str


def calibration_figures(summary: CalibrationSummary) -> tuple[Figure, ...]:
    """Return the figures to show before any saving is claimed; a group without calls is left out."""
    figures = []
    if summary.cache_calls:
        figures.append(_cache(summary))
    if summary.token_calls:
        figures.append(_tokens(summary))
        figures.append(_coverage(summary))
    if summary.model_usd is not None and summary.billed_usd is not None:
        figures.append(
            Figure(
                "Bill reproduced",
                change(summary.billed_usd, summary.model_usd),
                "measured",
                f"The model prices the billed calls at {dollars(summary.model_usd)}; "
                f"the provider billed {dollars(summary.billed_usd)}.",
            )
        )
    return tuple(figures)


def _cache(summary: CalibrationSummary) -> Figure:
    elsewhere = summary.cache_calls - summary.caching_calls
    caching = ""
    if summary.caching_calls and elsewhere:
        caching = (
            f" Without the {elsewhere:,} that went to a provider that caches nothing: "
            f"{percent(summary.caching_within_1pct)} of {summary.caching_calls:,}."
        )
    return Figure(
        "Cache model",
        percent(summary.cache_within_1pct),
        "measured",
        f"of {summary.cache_calls:,} cached calls: reads and writes predicted within 1 % of the bill."
        f"{caching}{_warm(summary)}",
    )


def _warm(summary: CalibrationSummary) -> str:
    if not summary.warm_calls:
        return ""
    if summary.warm_calls == 1:
        verdict = "" if summary.warm_within_1pct else "not "
        return f" Another one read a cache filled before the recording began, {verdict}as predicted."
    share = percent(summary.warm_within_1pct)
    return f" Another {summary.warm_calls:,} read a cache filled before the recording began: {share}."


def _tokens(summary: CalibrationSummary) -> Figure:
    return Figure(
        "Token estimate",
        percent(summary.token_median_error),
        "measured",
        f"median error on {summary.token_calls:,} whole prompts, before any bill of the run was seen; "
        f"95 of 100 are within {percent(summary.token_p95_error)}.",
    )


def _coverage(summary: CalibrationSummary) -> Figure:
    return Figure(
        "Interval kept",
        percent(summary.token_coverage),
        "measured",
        "of those prompts were billed inside the interval given beforehand.",
    )
