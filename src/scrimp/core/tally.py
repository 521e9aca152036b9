"""Counts of judged calls: how many predictions agreed with the bill, and how well misses were foreseen."""

from __future__ import annotations

import msgspec

__all__ = ["Tally"]


class Tally(msgspec.Struct):
    """Counts of judged calls.

    `within` have read and write both within the tolerance, `read_exact` the read. A full miss is a read of
    less than half of what a plain continuation promised; it is counted by whether it was predicted
    (`foreseen`), predicted in vain (`feared`), or not (`unforeseen`).
    """

    calls: int = 0
    within: int = 0
    read_exact: int = 0
    foreseen: int = 0
    feared: int = 0
    unforeseen: int = 0

    def count(
        self, *, within: bool, read_exact: bool, predicted_read: int, billed_read: int, promised: int
    ) -> None:
        """Count one call; `promised` is the read that a plain continuation would give, in tokens."""
        predicted, happened = predicted_read < promised / 2, billed_read < promised / 2
        self.calls += 1
        self.within += within
        self.read_exact += read_exact
        self.foreseen += predicted and happened
        self.feared += predicted and not happened
        self.unforeseen += happened and not predicted

    def include(self, other: Tally) -> None:
        """Add another tally's calls to this one's."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def within_1pct(self) -> float:
        """Share of calls whose read and write were both predicted."""
        return self.within / self.calls if self.calls else 0.0

    @property
    def read_share(self) -> float:
        """Share of calls whose read was predicted."""
        return self.read_exact / self.calls if self.calls else 0.0

    @property
    def precision(self) -> float:
        """Share of the predicted full misses that happened."""
        predicted = self.foreseen + self.feared
        return self.foreseen / predicted if predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the full misses that were predicted."""
        happened = self.foreseen + self.unforeseen
        return self.foreseen / happened if happened else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of full misses."""
        return 2 * self.precision * self.recall / (self.precision + self.recall) if self.foreseen else 0.0

    def summary(self) -> dict[str, object]:
        """The shares, and the full misses, by the names reports use."""
        return {
            "calls": self.calls,
            "within_1pct": round(self.within_1pct, 4),
            "read_exact": round(self.read_share, 4),
            "full_miss": {
                "precision": round(self.precision, 4),
                "recall": round(self.recall, 4),
                "f1": round(self.f1, 4),
            },
        }
