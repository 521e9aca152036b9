"""The promises of the suite, each as a line that says PASS or FAIL and names what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from statistics import median

import msgspec

from benchmarks.caching.suite import FIXED, Paid, Row

__all__ = ["Verdict", "judge"]

_OURS = "scrimp"
_HANDED = "scrimp-over"


class Verdict(msgspec.Struct, frozen=True):
    """One criterion; `failures` name the scenario and the ratio."""

    criterion: str
    failures: tuple[str, ...]
    figure: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def judge(rows: Sequence[Row]) -> list[Verdict]:
    """Every criterion over the scenarios that scrimp played."""
    played = [row for row in rows if _OURS in row.learned]
    handed = [row for row in rows if {_HANDED, "caller"} <= set(row.learned)]
    return [*(_usual(played) if played else ()), *([_over_callers(handed)] if handed else ())]


def _usual(rows: Sequence[Row]) -> list[Verdict]:
    return [
        _every(
            "learned: at most every other strategy, ties within 0.5 %",
            rows,
            lambda row: _against(row.learned, (*FIXED, "expert"), Fraction(1005, 1000)),
        ),
        _median(rows),
        _every(
            "learned: never above no caching by more than 1 %",
            rows,
            lambda row: _against(row.learned, ("none",), Fraction(101, 100)),
        ),
        _every(
            "cold: never above the best fixed strategy by more than 3 %",
            rows,
            lambda row: _against(row.cold, FIXED, Fraction(103, 100)),
        ),
    ]


def _over_callers(rows: Sequence[Row]) -> Verdict:
    return _every(
        "handed the caller's markers: never above the caller by more than 1 %",
        rows,
        lambda row: _against(row.learned, ("caller",), Fraction(101, 100), _HANDED),
    )


def _every(criterion: str, rows: Sequence[Row], worst: Callable[[Row], str | None]) -> Verdict:
    failures = [f"{row.name} ({found})" for row in rows if (found := worst(row)) is not None]
    return Verdict(criterion, tuple(failures), f"{len(rows) - len(failures)} of {len(rows)} scenarios")


def _against(
    paid: dict[str, Paid], others: Sequence[str], limit: Fraction, name_of_ours: str = _OURS
) -> str | None:
    """The cheapest of the others, where ours costs more than `limit` times as much."""
    found = [(paid[name].input_cost, name) for name in others if name in paid]
    if not found:
        return None
    cost, name = min(found)
    ours = paid[name_of_ours].input_cost
    return f"{ours / cost:.3f} × {name}" if ours > cost * limit else None


def _median(rows: Sequence[Row]) -> Verdict:
    ratio = median(row.learned[_OURS].input_cost / row.floor for row in rows)
    failures = () if ratio <= 1.05 else (f"{ratio:.3f}",)
    return Verdict(
        "learned: at most 1.05 × the floor on the median scenario", failures, f"{ratio:.3f} × floor"
    )
