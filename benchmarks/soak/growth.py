"""Whether memory grows: what is in use after so many calls, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from statistics import fmean, linear_regression
from typing import NamedTuple

import msgspec

__all__ = ["Growth", "Sample", "growth"]

_BATCHES = 20
_SURE = 2.1
"""Standard errors on each side of a slope through so many batches: 95 % (Student's t, 18 degrees)."""

_MOST_ALIKE = 0.8


class Sample(NamedTuple):
    """Seconds since memory settled, calls by then, bytes resident, and of those bytes in use (0: unknown)."""

    seconds: float
    calls: int
    resident: int
    used: int


class Growth(msgspec.Struct, frozen=True):
    """Bytes a call, give or take `unsure` (95 %), and how many calls there are in an hour."""

    per_call: float
    unsure: float
    calls_an_hour: float

    @property
    def most(self) -> float:
        """Bytes a call that it may be, at most."""
        return self.per_call + self.unsure

    def per_hour(self, bytes_a_call: float) -> float:
        """Megabytes an hour."""
        return bytes_a_call * self.calls_an_hour / 1e6


def growth(samples: Sequence[Sample], sizes: Sequence[int]) -> Growth | None:
    """The slope of `sizes` over the calls of `samples`; None for too few to tell.

    Tables that let go of many at once, and what waits to be collected, make memory go up and down; single
    samples follow one another too closely to count as so many. So it is a line through the means of twenty
    batches, and less sure where those that are neighbours lie off it in the same way.
    """
    size = len(samples) // _BATCHES
    if size < 1 or samples[-1].calls <= samples[0].calls:
        return None
    first = len(samples) - size * _BATCHES
    places = [slice(first + n * size, first + (n + 1) * size) for n in range(_BATCHES)]
    calls = [fmean(sample.calls for sample in samples[place]) for place in places]
    means = [fmean(sizes[place]) for place in places]
    slope, start = linear_regression(calls, means)
    off = [mean - start - slope * at for at, mean in zip(calls, means, strict=True)]
    square = sum(each * each for each in off)
    middle = fmean(calls)
    error = sqrt(square / (_BATCHES - 2) / sum((at - middle) ** 2 for at in calls))
    alike = sum(one * next_ for one, next_ in pairwise(off)) / square if square else 0.0
    alike = min(_MOST_ALIKE, max(0.0, alike))
    unsure = _SURE * error * sqrt((1 + alike) / (1 - alike))
    seconds = samples[-1].seconds - samples[0].seconds
    return Growth(slope, unsure, (samples[-1].calls - samples[0].calls) / seconds * 3600)
