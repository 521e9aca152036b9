"""Runs of one model through its cache, in time order, as many as differ from one another.

Runs share nothing but tools and system, and come evenly spaced. A run is billed like its neighbours unless it
is among the first of a day, which find the cache cold, or among the last, which no others come after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from scrimp.core.cache import TTL_SECONDS, Cache, Outcome
from scrimp.core.estimate.amounts import NOTHING, Amounts, amounts_of
from scrimp.core.estimate.synthetic import Request, Step, conversation
from scrimp.core.estimate.terms import Terms
from scrimp.core.estimate.workload import Workload

__all__ = ["Call", "Runs", "batched_run", "bill", "simulate"]

_MOST_CALLS = 8_000


@dataclass(frozen=True, slots=True)
class Call:
    """One billed call: which run, branch and step it is, when it began (seconds), and its amounts."""

    run: int
    branch: int
    step: int
    at: float
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a day that were played, each a sum, and the calls behind them.

    The last `ending` of them are the last of the day, the one before these is like all that were not played,
    and the others are the first. `settled` is False where too many overlap to play all that differ.
    """

    runs: tuple[Amounts, ...]
    calls: tuple[Call, ...]
    ending: int = 0
    settled: bool = True

    @property
    def usual(self) -> int:
        """The number of the run that those not played are like."""
        return len(self.runs) - self.ending - 1

    @property
    def later(self) -> Amounts:
        """Every run that was not played."""
        return self.runs[self.usual]

    def day(self, runs: Fraction) -> Amounts:
        """So many runs, as many as were asked for when they were played; the first finds a cold cache."""
        return sum(self.runs, NOTHING) + self.later * (runs - len(self.runs))


def simulate(work: Workload, terms: Terms, runs: Fraction) -> Runs:
    """The runs of a day that has so many of them; a day of less than one run has a cold one."""
    every = work.hours * 3_600 / max(runs, Fraction(1))
    first, last = _differing(work, every)
    most = max(_MOST_CALLS // (work.steps * work.fanout), 3)
    needed = min(max(ceil(runs), 1), first + 1 + last)
    played = min(needed, most)
    cache = Cache()
    sums = [NOTHING] * played
    calls = []
    for at, run, branch, number, step in _in_order(work, terms, played, float(every)):
        amounts = bill(cache, step.request(work), work.output, terms, (at, at + work.first_event))
        sums[run] += amounts
        calls.append(Call(run, branch, number, at, amounts))
    ending = last if played == first + 1 + last else 0
    return Runs(tuple(sums), tuple(calls), ending, settled=played == needed)


def _differing(work: Workload, every: Fraction) -> tuple[int, int]:
    """How many runs at the beginning and at the end of a day may be billed unlike those between them.

    Where the beginnings of runs alone keep alive what is shared, and steps what is not, only runs that begin
    before the first answer does differ; else all that overlap with the first one, or with the last.
    """
    if work.caching == "none":
        return 0, 0
    begins = work.first_event * (1 + work.first_alone)
    if every + begins < TTL_SECONDS[work.ttl_of_prefix] and work.gap < TTL_SECONDS[work.ttl]:
        return ceil(begins / every) + 1, 0
    overlapping = ceil(((work.steps - 1) * work.gap + begins) / every) + 1
    return overlapping, overlapping


def bill(cache: Cache, request: Request, output: int, terms: Terms, times: tuple[float, float]) -> Amounts:
    """One call that begins, and whose answer begins, at `times`; `cache` is left as it leaves it."""
    began, answered = times
    outcome = cache.outcome(request.prompt, request.ends, request.tokens, terms.rules, began)
    cache.commit(request.prompt, outcome, began, answered)
    return amounts_of(outcome, output, terms.live(request.tokens))


def batched_run(work: Workload, terms: Terms) -> Amounts:
    """One run whose calls go through batches. Of the calls, `batch_hits` percent read the prefix and the
    others write it; that a batch finds what an earlier one wrote of a conversation is not counted on.
    """
    hits = Fraction(work.batch_hits, 100)
    marked = work.prefix if hits and work.caching != "none" and _cached(work, terms) else 0
    total = NOTHING
    for step in conversation(work, terms.reading, "a batch"):
        rates = terms.batched(step.tokens)
        outcomes = [
            (hits, Outcome(-1, (), step.tokens - marked, 0, 0, marked)),
            (1 - hits, _written(step.tokens, marked, work)),
        ]
        for share, outcome in outcomes:
            total += amounts_of(outcome, work.output, rates) * share
    return total * work.fanout


def _cached(work: Workload, terms: Terms) -> bool:
    return terms.rules.caches and work.prefix >= terms.rules.minimum


def _written(tokens: int, marked: int, work: Workload) -> Outcome:
    hour = work.ttl_of_prefix == "1h"
    return Outcome(-1, (), tokens - marked, 0 if hour else marked, marked if hour else 0, 0)


def _in_order(
    work: Workload, terms: Terms, runs: int, every: float
) -> Iterator[tuple[float, int, int, int, Step]]:
    """When each call begins, its run, its branch, its number in the branch, and the call; in time order."""
    branches = [(run, branch) for run in range(runs) for branch in range(work.fanout)]
    steps = {
        (run, branch): conversation(work, terms.reading, f"run {run}, branch {branch}")
        for run, branch in branches
    }
    begun = [
        (run * every + number * work.gap + _waits(work, branch), run, branch, number)
        for run, branch in branches
        for number in range(work.steps)
    ]
    for at, run, branch, number in sorted(begun):
        yield at, run, branch, number, steps[run, branch][number]


def _waits(work: Workload, branch: int) -> int:
    return work.first_event if work.first_alone and branch else 0
