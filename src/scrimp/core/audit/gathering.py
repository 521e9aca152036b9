"""The simpler sections, added up call by call: when and what was billed, calibration, misses, floor."""

from __future__ import annotations

from collections import defaultdict
from heapq import nlargest

from scrimp.core.audit.idle import FIXES_OF_IDLE, Idle
from scrimp.core.audit.model import Calibration, CauseLine, Floor, Misses, SourceCalibration, Span
from scrimp.core.bill import Bill
from scrimp.core.causes import FIXES, Cause, Diagnosis
from scrimp.core.reproduce import Measured
from scrimp.core.summary import Foreseen, billed_input

__all__ = ["CalibrationSums", "FloorSums", "MissSums", "SpanSums"]

_DAY = 86_400.0
_EXAMPLES = 5
_INTENDED = frozenset({Cause.COMPACTED, Cause.CLEARED, Cause.THINKING_DROPPED})
_INPUT = ("input", "write_5m", "write_1h", "read")


class SpanSums:
    """When the calls were, how many, and what they were billed."""

    def __init__(self) -> None:
        self.calls = 0
        self.runs: set[tuple[str, str]] = set()
        self.billed = 0
        self.input_billed = 0
        self.output_billed = 0
        self._began: float | None = None
        self._ended: float | None = None

    def add(self, source: str, run: str, at: float | None, paid: Bill) -> None:
        """Take one call; `at` is None where its time is not known."""
        self.calls += 1
        self.runs.add((source, run))
        self.billed += paid.total
        self.input_billed += sum(line.amount for line in paid.lines if line.category in _INPUT)
        self.output_billed += paid.amount("output")
        if at is not None:
            self._began = at if self._began is None else min(self._began, at)
            self._ended = at if self._ended is None else max(self._ended, at)

    def span(self) -> Span:
        """When the calls were."""
        if self._began is None or self._ended is None:
            return Span()
        return Span(self._began, self._ended, max((self._ended - self._began) / _DAY, 1.0))


class CalibrationSums:
    """How the model foresaw the bills, source by source."""

    def __init__(self) -> None:
        self._sources: list[SourceCalibration] = []

    def add(self, source: str, found: Foreseen) -> None:
        """Take one source."""
        self._sources.append(
            SourceCalibration(source, found.calls, found.within, found.unexplained, found.model, found.billed)
        )

    def result(self) -> Calibration | None:
        """The section, or None where there was no source."""
        if not self._sources:
            return None
        whole = SourceCalibration(
            "all sources",
            *(
                sum(getattr(one, name) for one in self._sources)
                for name in ("calls", "within", "unexplained", "model", "billed")
            ),
        )
        return Calibration(whole, tuple(sorted(self._sources, key=lambda one: -one.billed)))


class FloorSums:
    """What was billed beside the least that could have been."""

    def __init__(self) -> None:
        self._billed = self._floor = 0

    def add(self, measured: Measured, floor: int) -> None:
        """Take one call with its share of the floor."""
        self._billed += billed_input(measured)
        self._floor += floor

    def result(self) -> Floor | None:
        """The section, or None where nothing was billed."""
        return Floor(self._billed, self._floor) if self._billed else None


class _Line:
    def __init__(self) -> None:
        self.misses = 0
        self.tokens = 0
        self.lost = 0
        self.examples: list[tuple[int, str]] = []


class MissSums:
    """Misses by cause."""

    def __init__(self) -> None:
        self._lines: dict[tuple[Cause, Idle | None], _Line] = defaultdict(_Line)
        self._judged = 0

    def add(self, where: str, diagnosis: Diagnosis | None, idle: Idle | None = None) -> None:
        """Take one judged call; calls without a miss too. `idle` says how an entry came to expire."""
        self._judged += 1
        if diagnosis is None or not diagnosis.bust:
            return
        line = self._lines[diagnosis.cause, idle if diagnosis.cause is Cause.EXPIRED else None]
        line.misses += 1
        line.tokens += max(diagnosis.promised - diagnosis.read, 0)
        line.lost += diagnosis.lost
        line.examples = nlargest(_EXAMPLES, [*line.examples, (diagnosis.lost, where)])

    def result(self) -> Misses | None:
        """The section, or None where no call was judged."""
        if not self._judged:
            return None
        lines = sorted(self._lines.items(), key=lambda item: -item[1].lost)
        return Misses(self._judged, tuple(_cause_line(*cause, line) for cause, line in lines))


def _cause_line(cause: Cause, idle: Idle | None, line: _Line) -> CauseLine:
    return CauseLine(
        cause=f"{cause}{'' if idle is None else f' ({idle})'}",
        misses=line.misses,
        tokens=line.tokens,
        lost=line.lost,
        fix=FIXES[cause] if idle is None else FIXES_OF_IDLE[idle],
        intended=cause in _INTENDED,
        examples=tuple(where for _, where in line.examples),
    )
