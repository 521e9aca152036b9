"""How much of what the cache's rules promise is not there after all: entries gone before their time.

Lifetimes are the least an entry should live, and the cache is no promise: recorded bills show that now and
then a live entry was not read. Counted over recorded sessions of public projects in 2026, in input tokens; a
project is never foreseen from its own figure.
"""

from __future__ import annotations

from collections.abc import Container
from fractions import Fraction

__all__ = ["WEIGHT", "expected_share", "observed_losses"]

WEIGHT = 20_000_000
"""Tokens that what was observed elsewhere counts for, beside what is seen on the spot."""

_OBSERVED: dict[str, tuple[int, int]] = {
    "entireio__cli": (1_308_882_557, 3_052_752),
    "JanDeDobbeleer__oh-my-posh": (491_201_299, 1_575_090),
    "PackmindHub__context-evaluator": (170_579_014, 708_700),
    "entireio__skills": (112_466_048, 58_903),
}
"""By project: tokens that the rules foresaw to be read, and those of them that bills show were not."""


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
