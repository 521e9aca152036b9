"""Whether the input of a conversation grows from step to step or stays within bounds."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.audit.model import Verdict

__all__ = ["verdict_of"]

_LEAST_STEPS = 5
_RISES = 0.5
"""Of the mean: a fitted line that rises by more over the whole conversation is growth."""


def verdict_of(totals: Sequence[int]) -> tuple[Verdict, float]:
    """The verdict on a conversation's inputs (tokens, in order), and its slope in tokens per step.

    The slope is that of the least-squares line. A few steps say nothing.
    """
    slope = _slope(totals)
    if len(totals) < _LEAST_STEPS:
        return "too short", slope
    mean = sum(totals) / len(totals)
    return ("growing" if slope * (len(totals) - 1) > _RISES * mean else "bounded"), slope


def _slope(totals: Sequence[int]) -> float:
    count = len(totals)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, sum(totals) / count
    above = sum((number - middle) * (total - mean) for number, total in enumerate(totals))
    return above / sum((number - middle) ** 2 for number in range(count))
