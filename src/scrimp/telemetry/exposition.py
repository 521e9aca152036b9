"""The text that Prometheus reads, version 0.0.4 ("Exposition formats").

One group of lines a metric: `# HELP`, `# TYPE`, then its samples. In label values a backslash, a line feed
and a double quote are escaped, in help texts a backslash and a line feed. The buckets of a histogram are
cumulative and end with `+Inf`, which is its count. Values are decimal numbers: money stays exact.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

__all__ = ["CONTENT_TYPE", "OTHER", "Bounded", "Exposition", "Histogram"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
OTHER = "other"
"""The value of a label that stands for all that are not told apart."""


class Histogram:
    """Counts of values by upper bound, the bound included."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def add_all(self, values: Sequence[float]) -> None:
        """Count several: looking for the bounds among the values takes less than the other way round."""
        self.sum = sum(values, self.sum)
        ordered, before = sorted(values), 0
        for place, bound in enumerate(self.bounds):
            below = bisect_right(ordered, bound)
            if below > before:
                self.counts[place] += below - before
                before = below
            if below == len(ordered):
                return
        self.counts[-1] += len(ordered) - before

    def merge(self, other: Histogram) -> None:
        """Count all that `other` has counted."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


class Bounded:
    """Values of a label: the first `most` of them are told apart, later ones are `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def of(self, value: str | None) -> str:
        """The value to count under; empty where there is none."""
        if not value:
            return ""
        known = self._known.get(value)
        if known is not None:
            return known
        if len(self._known) >= self._most:
            return OTHER
        self._known[value] = value
        return value


class Exposition:
    """Collects metrics; `text()` is what is answered."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(
        self,
        name: str,
        kind: Literal["counter", "gauge"],
        about: str,
        samples: Iterable[tuple[Labels, int | float | str]],
    ) -> None:
        """One metric with its samples, each a number or its decimal text."""
        self._head(name, kind, about)
        for labels, value in samples:
            self._sample(name, labels, value)

    def histogram(self, name: str, about: str, samples: Iterable[tuple[Labels, Histogram]]) -> None:
        """One histogram for each set of labels."""
        self._head(name, "histogram", about)
        for labels, found in samples:
            total = 0
            for bound, count in zip((*found.bounds, "+Inf"), found.counts, strict=True):
                total += count
                self._sample(f"{name}_bucket", {**labels, "le": str(bound)}, total)
            self._sample(f"{name}_sum", labels, found.sum)
            self._sample(f"{name}_count", labels, total)

    def text(self) -> bytes:
        """Everything so far."""
        return "".join(self._lines).encode()

    def _head(self, name: str, kind: str, about: str) -> None:
        said = about.replace("\\", r"\\").replace("\n", r"\n")
        self._lines.append(f"# HELP {name} {said}\n# TYPE {name} {kind}\n")

    def _sample(self, name: str, labels: Labels, value: float | str) -> None:
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        self._lines.append(f"{name}{{{pairs}}} {value}\n" if pairs else f"{name} {value}\n")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
