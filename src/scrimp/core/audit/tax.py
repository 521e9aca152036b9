"""The stateless tax: what of every prompt had been sent before, and what was billed for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from heapq import nlargest

from scrimp.core.audit.growth import verdict_of
from scrimp.core.audit.model import Paid, Part, PartCost, RunTax, StepTax, Tax, Verdict
from scrimp.core.audit.walk import KINDS, Kind, Walked, billed_rates, bounds_of
from scrimp.facts.prices import Rates

__all__ = ["TaxSums", "by_segment", "spread"]

_SEGMENTS = 4
_AGAIN = KINDS * _SEGMENTS
_SLOTS = 2 * _AGAIN
_NEW = Kind.MESSAGES * _SEGMENTS
_PARTS: tuple[tuple[Part, int], ...] = (
    ("static", Kind.STATIC),
    ("tools", Kind.TOOLS),
    ("system", Kind.SYSTEM),
    ("messages", Kind.MESSAGES),
    ("results", Kind.RESULTS),
)
_RUNS_SHOWN = 20
_STEPS_SHOWN = 5

Counts = list[int]
"""Tokens by whether they were sent before, by kind and by how they were billed, flat."""


class _Sums:
    """Tokens and money of some calls; money by slot as tokens are, because rates differ from call to call."""

    def __init__(self) -> None:
        self.tokens: Counts = [0] * _SLOTS
        self.money: Counts = [0] * _SLOTS

    def add(self, counts: Counts, rates: Sequence[int]) -> None:
        for slot, count in enumerate(counts):
            if count:
                self.tokens[slot] += count
                self.money[slot] += count * rates[slot % _SEGMENTS]

    def include(self, other: _Sums) -> None:
        for slot in range(_SLOTS):
            self.tokens[slot] += other.tokens[slot]
            self.money[slot] += other.money[slot]

    def parts(self) -> tuple[PartCost, ...]:
        found = [self._part(part, kind) for part, kind in _PARTS]
        fresh = self._paid(Kind.MESSAGES) + self._paid(Kind.RESULTS)
        found.append(PartCost("new", fresh, Paid()))
        return tuple(one for one in found if one.paid.tokens or one.paid.amount)

    def _part(self, part: Part, kind: int) -> PartCost:
        again = self._paid(kind, again=True)
        fronts = kind in (Kind.STATIC, Kind.TOOLS, Kind.SYSTEM)
        return PartCost(part, again + self._paid(kind) if fronts else again, again)

    def _paid(self, kind: int, *, again: bool = False) -> Paid:
        start = (_AGAIN if again else 0) + kind * _SEGMENTS
        read, hour, five, plain = self.tokens[start : start + _SEGMENTS]
        return Paid(plain, five, hour, read, sum(self.money[start : start + _SEGMENTS]))


class _Run:
    def __init__(self, run: str, project: str, where: str) -> None:
        self.run = run
        self.project = project
        self.where = where
        self.sums = _Sums()
        self.calls = 0
        self.lanes: dict[str, list[int]] = defaultdict(list)
        self.steps: list[StepTax] = []

    @property
    def amount(self) -> int:
        return sum(self.sums.money)


class TaxSums:
    """Adds up the tax of calls as they are walked, source by source."""

    def __init__(self) -> None:
        self._whole = _Sums()
        self._projects: dict[str, _Sums] = defaultdict(_Sums)
        self._runs: dict[str, _Run] = {}
        self._dearest: list[_Run] = []
        self._verdicts: dict[Verdict, int] = defaultdict(int)
        self._calls = 0
        self._uncached = 0

    def add(self, walked: Walked) -> None:
        """Take one call of the source being walked."""
        call = walked.call
        counts, rates = spread(walked), billed_rates(call)
        each = by_segment(rates)
        run = self._runs.get(call.run)
        if run is None:
            run = self._runs[call.run] = _Run(call.run, call.source, call.where)
        run.calls += 1
        run.sums.add(counts, each)
        run.lanes[walked.lane].append(call.usage.total_input)
        run.steps.append(_step(walked, counts, each))
        self._uncached += sum(counts[_AGAIN:]) * rates.input
        self._calls += 1

    def end_source(self) -> None:
        """The source is over: its runs become part of the sums, and only the dearest are kept."""
        for run in self._runs.values():
            self._projects[run.project].include(run.sums)
            self._whole.include(run.sums)
            self._verdicts[_verdict(run)[0]] += 1
        self._dearest = nlargest(_RUNS_SHOWN, [*self._dearest, *self._runs.values()], key=lambda r: r.amount)
        for run in self._dearest[_STEPS_SHOWN:]:
            run.steps = []
        self._runs = {}

    def result(self, input_billed: int) -> Tax | None:
        """The section; `input_billed` is all input that was billed. None where no call was taken."""
        if not self._calls:
            return None
        return Tax(
            calls=self._calls,
            parts=self._whole.parts(),
            beside=input_billed - sum(self._whole.money),
            uncached_again=self._uncached,
            growing=self._verdicts["growing"],
            bounded=self._verdicts["bounded"],
            too_short=self._verdicts["too short"],
            projects={name: sums.parts() for name, sums in self._projects.items()},
            runs=tuple(map(_run_tax, self._dearest)),
        )


def spread(walked: Walked) -> Counts:
    """The tokens of one call's prompt by slot; what closes a prompt after its last position is new."""
    ends, kinds, same = walked.measured.ends, walked.kinds, walked.same
    bounds = bounds_of(walked.call)
    counts = [0] * _SLOTS
    segment = last = 0
    for position, end in enumerate(ends):
        again = position < same or walked.again[position - same]
        slot = kinds[position] * _SEGMENTS + (_AGAIN if again else 0)
        while end > bounds[segment]:
            counts[slot + segment] += bounds[segment] - last
            last = bounds[segment]
            segment += 1
        counts[slot + segment] += end - last
        last = end
    for number in range(segment, _SEGMENTS):
        counts[_NEW + number] += bounds[number] - last
        last = bounds[number]
    return counts


def by_segment(rates: Rates) -> tuple[int, int, int, int]:
    """What a token read, written for 1h, written for 5m and not cached costs, as `bounds_of` orders them."""
    return rates.read, rates.write_1h, rates.write_5m, rates.input


def _step(walked: Walked, counts: Counts, each: Sequence[int]) -> StepTax:
    call = walked.call
    sums = _Sums()
    sums.add(counts, each)
    return StepTax(
        where=call.where,
        at=call.at,
        conversation=walked.lane,
        parts={part.part: part.paid.tokens for part in sums.parts()},
        amount=sum(sums.money),
        again=sum(sums.money[_AGAIN:]),
        output_tokens=call.usage.output_tokens,
    )


def _verdict(run: _Run) -> tuple[Verdict, float]:
    return verdict_of(max(run.lanes.values(), key=len))


def _run_tax(run: _Run) -> RunTax:
    verdict, slope = _verdict(run)
    return RunTax(
        run=run.run,
        project=run.project,
        where=run.where,
        calls=run.calls,
        parts=run.sums.parts(),
        verdict=verdict,
        slope=slope,
        steps=tuple(run.steps),
    )
