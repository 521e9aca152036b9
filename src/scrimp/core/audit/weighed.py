"""What a lever was found to be worth, before it is told: money in picodollars over the audited span."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

import msgspec

from scrimp.core.audit.checklist_model import Evidence
from scrimp.core.whatif.changed import Removed

__all__ = ["Evidences", "Weighed"]

_KEPT = 3


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """One lever's worth. `cases` counts what it was for (calls, runs, results): none, and it does not apply.

    `says` is what was found, in a sentence; `setting` the line to copy where it depends on what was found.
    `off` is the model's error on the bills that are touched, as a share of them; `untimed` says that most of
    these calls have no recorded time.
    """

    lever: str
    low: int = 0
    mid: int = 0
    high: int = 0
    cases: int = 0
    says: str = ""
    change: str = ""
    setting: str = ""
    evidence: tuple[Evidence, ...] = ()
    removed: Removed | None = None
    notes: tuple[str, ...] = ()
    off: float = 0.0
    untimed: bool = False


class Evidences:
    """The dearest places, kept while going through many."""

    def __init__(self) -> None:
        self._kept: list[Evidence] = []

    def add(self, where: str, note: str, amount: int) -> None:
        """Take one place."""
        if len(self._kept) < _KEPT or amount > self._kept[-1].amount:
            self.extend([Evidence(where, note, amount)])

    def extend(self, found: Iterable[Evidence]) -> None:
        """Take several."""
        self._kept = nlargest(_KEPT, [*self._kept, *found], key=lambda one: one.amount)

    def result(self) -> tuple[Evidence, ...]:
        """The dearest, the dearest first."""
        return tuple(self._kept)
