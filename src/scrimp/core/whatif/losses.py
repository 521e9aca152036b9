"""How much of what the cache's rules promise is not there after all: entries gone before their time.

Lifetimes are the least an entry should live, and the cache is no promise: recorded bills show that now and
then a live entry was not read. Counted over recorded sessions of public projects in 2026, in input tokens; a
project is never foreseen from its own figure.

Where no times were recorded, pauses that outlive the cache cannot be told from entries gone early, and what
others lost says little. There the source's own earlier runs tell, counted in calls: a loss is one event
however long the prefix.
"""

from __future__ import annotations

from collections.abc import Container
from fractions import Fraction
from math import sqrt

__all__ = ["WEIGHT", "EarlierRuns", "expected_share", "luck", "observed_losses"]

WEIGHT = 20_000_000
"""Tokens that what was observed elsewhere counts for, beside what is seen on the spot."""

_OBSERVED: dict[str, tuple[int, int]] = {
    "entireio__cli": (1_308_882_557, 3_052_752),
    "JanDeDobbeleer__oh-my-posh": (491_201_299, 1_575_090),
    "PackmindHub__context-evaluator": (170_579_014, 708_700),
    "entireio__skills": (112_466_048, 58_903),
}
"""By project: tokens that the rules foresaw to be read, and those of them that bills show were not."""

_MILLION = 10**6
_TWO_SIGMA = 1.96
"""19 of 20 normal errors are within so many standard deviations."""


def expected_share(reads: int, lost: int, prior: tuple[int, int]) -> Fraction:
    """The share of foreseen reads that is expected to be lost, where `lost` of `reads` tokens were.

    `prior` is the same of others; it counts for at most `WEIGHT` tokens.
    """
    weight = Fraction(min(prior[0], WEIGHT), prior[0]) if prior[0] else Fraction(0)
    whole = reads + weight * prior[0]
    return (lost + weight * prior[1]) / whole if whole else Fraction(0)


def observed_losses(without: Container[str]) -> tuple[int, int]:
    """Tokens foreseen to be read and tokens lost, over the recorded projects that are not in `without`."""
    kept = [counts for project, counts in _OBSERVED.items() if project not in without]
    return sum(reads for reads, _ in kept), sum(lost for _, lost in kept)


class EarlierRuns:
    """What runs lost so far, for those after them; `elsewhere` counts for one foreseen read."""

    def __init__(self, elsewhere: Fraction) -> None:
        self._reads = 1
        self._lost = round(elsewhere * _MILLION)

    @property
    def share(self) -> Fraction:
        """The share of a foreseen read that is expected to be lost."""
        return Fraction(self._lost, self._reads * _MILLION)

    def learn(self, reads: int, lost: int) -> None:
        """`reads` calls of a run were to read; `lost` sums the shares that each of them lost, in ppm."""
        self._reads += reads
        self._lost += lost


def luck(expected: int, variance: int) -> tuple[float, float]:
    """The least and the most that losses cost in 19 of 20 cases, as multiples of what is expected.

    Losses are few and cost much each: their sum is taken to be gamma distributed with this expectation and
    variance (Wilson and Hilferty's quantiles).
    """
    if expected <= 0 or variance <= 0:
        return 1.0, 1.0
    shape = expected * expected / variance
    middle, width = 1 - 1 / (9 * shape), _TWO_SIGMA / (3 * sqrt(shape))
    low, high = max(middle - width, 0.0) ** 3, max(middle + width, 0.0) ** 3
    return low, max(high, 1.0)
