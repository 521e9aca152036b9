"""Replays added up: the bill of each run and of all under each policy, against the floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isqrt

import msgspec

from scrimp.core.lengths import Lengths
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import POLICIES, Measured, Replayed, input_cost, measure, replay, replay_floor
from scrimp.core.reproduce import Reproduced
from scrimp.core.tolerance import tolerance
from scrimp.core.whatif.changed import Removed
from scrimp.core.whatif.rows import Row, RowReplay

__all__ = [
    "Comparison",
    "Foreseen",
    "Money",
    "Replays",
    "RowBill",
    "RunBill",
    "SourceBill",
    "add_up",
    "compare",
    "foreseen",
    "foreseen_in_all",
    "measure_source",
    "replay_measured",
    "replay_source",
    "row_bill",
    "rows_in_all",
]

_TIE = 1_000
"""Picodollars by which two bills may differ and be the same."""
_TWO_SIGMA_SQUARED = 38_416
"""1.96 squared, in ten-thousandths: 19 of 20 normal errors are within 1.96 standard deviations."""
_KINDS = ("plain", "write_5m", "write_1h", "read", "output")


class Money(msgspec.Struct):
    """A bill in picodollars, with the tokens of each kind behind it.

    `not_offered` counts calls of days on which the provider did not offer what the policy asks for. `extra`
    is what is paid beside input and output, `spread` how much less the input costs where a cache that is best
    effort gives the most it is said to.
    """

    input_cost: int = 0
    output_cost: int = 0
    tokens: Counter[str] = msgspec.field(default_factory=lambda: Counter(dict.fromkeys(_KINDS, 0)))
    not_offered: int = 0
    extra: int = 0
    spread: int = 0

    @property
    def total(self) -> int:
        """Input, output and what is paid beside them."""
        return self.input_cost + self.output_cost + self.extra

    @property
    def read_share(self) -> float:
        """Cached reads as a share of all input tokens."""
        tokens = self.tokens
        whole = tokens["plain"] + tokens["write_5m"] + tokens["write_1h"] + tokens["read"]
        return tokens["read"] / whole if whole else 0.0

    def add(self, call: Replayed) -> None:
        """Book one call."""
        self.input_cost += call.input_cost
        self.output_cost += call.output_cost
        self.extra += call.extra
        self.spread += call.spread
        outcome = call.outcome
        self.tokens.update(
            plain=outcome.plain,
            write_5m=outcome.write_5m,
            write_1h=outcome.write_1h,
            read=outcome.read,
            output=call.call.usage.output_tokens,
        )

    def include(self, other: Money) -> None:
        """Add another bill to this one."""
        self.input_cost += other.input_cost
        self.output_cost += other.output_cost
        self.extra += other.extra
        self.spread += other.spread
        self.tokens.update(other.tokens)
        self.not_offered += other.not_offered


class RunBill(msgspec.Struct):
    """One run: its floor, its billed input cost (picodollars) and its bill under each policy."""

    run: str
    source: str = ""
    calls: int = 0
    floor: int = 0
    billed: int = 0
    policies: dict[str, Money] = msgspec.field(default_factory=dict)


class Foreseen(msgspec.Struct):
    """How the model foresaw the bills of calls under their own markers, in picodollars of input.

    `within` counts calls whose read was foreseen within 1 % of their input, `unexplained` those whose bill
    shows what no recorded call explains: it is dealt to every policy. `inferred` counts calls with a marker
    that was not recorded. `squares` sums, over the runs, the square of what the model was off by.
    """

    calls: int = 0
    within: int = 0
    unexplained: int = 0
    inferred: int = 0
    model: int = 0
    billed: int = 0
    squares: int = 0

    @property
    def off(self) -> int:
        """How far the model may be off on such a bill: what it was in all, or in 19 of 20 cases would be.

        For the latter each run errs by itself, so that errors to both sides do not cancel out.
        """
        return max(abs(self.model - self.billed), isqrt(_TWO_SIGMA_SQUARED * self.squares) // 100)

    def include(self, other: Foreseen) -> None:
        """Add other calls to these."""
        self.calls += other.calls
        self.within += other.within
        self.unexplained += other.unexplained
        self.inferred += other.inferred
        self.model += other.model
        self.billed += other.billed
        self.squares += other.squares


class RowBill(msgspec.Struct):
    """A row of a what-if over one source or several; `off` is the model's own error on it, picodollars.

    `touched` counts the calls its levers were for (None: all of them).
    """

    row: Row
    money: Money = msgspec.field(default_factory=Money)
    off: int = 0
    touched: int | None = None
    removed: Removed | None = None
    notes: tuple[str, ...] = ()

    @property
    def low(self) -> int:
        """The least it may cost: the model off to that side, a best-effort cache at its best."""
        return self.money.total - self.off - self.money.spread

    @property
    def high(self) -> int:
        """The most it may cost."""
        return self.money.total + self.off

    def include(self, other: RowBill) -> None:
        """Add the same row over another source; errors add up, as if all were to the same side."""
        self.money.include(other.money)
        self.off += other.off
        if other.touched is not None:
            self.touched = (self.touched or 0) + other.touched
        if other.removed is not None:
            self.removed = other.removed if self.removed is None else self.removed + other.removed
        self.notes = tuple(dict.fromkeys((*self.notes, *other.notes)))


class SourceBill(msgspec.Struct, frozen=True):
    """One source: how the model foresaw its bills, the bill of each of its runs, and rows of a what-if."""

    source: str
    foreseen: Foreseen
    runs: list[RunBill]
    rows: tuple[RowBill, ...] = ()


class Comparison(msgspec.Struct, frozen=True):
    """Of `runs` runs, how many cost at most what they did under the recorded markers, and which cost more.

    `dearer` has the runs that cost more, the greatest loss first.
    """

    runs: int
    at_most: int
    dearer: tuple[RunBill, ...]

    @property
    def share(self) -> float:
        """Runs that cost no more, as a share of all."""
        return self.at_most / self.runs if self.runs else 1.0


class Replays(msgspec.Struct, frozen=True):
    """One source replayed: `measured` calls in time order and each policy's outcome for them."""

    measured: Sequence[Measured]
    floor: Sequence[int]
    policies: Mapping[str, Sequence[Replayed]]

    def runs(self, source: str = "") -> list[RunBill]:
        """A bill for each run of `source`, in the order the runs began."""
        found: dict[str, RunBill] = {}
        for number, measured in enumerate(self.measured):
            call = measured.call
            run = found.setdefault(
                call.run, RunBill(call.run, source, policies={n: Money() for n in self.policies})
            )
            run.calls += 1
            run.floor += self.floor[number]
            run.billed += billed_input(measured)
            for name, calls in self.policies.items():
                run.policies[name].add(calls[number])
                run.policies[name].not_offered += name == "auto" and not call.offers_automatic
        return list(found.values())


def replay_source(calls: Sequence[RecordedCall], names: Sequence[str]) -> Replays:
    """Replay one source's calls, in time order, under each named policy."""
    return replay_measured(measure_source(calls), names)


def measure_source(calls: Sequence[RecordedCall]) -> list[Measured]:
    """The calls of one source with their lengths from all of its bills."""
    lengths = Lengths()
    for call in calls:
        lengths.reveal(call.prompt, call.usage)
    return measure(calls, lengths)


def replay_measured(
    measured: Sequence[Measured], names: Sequence[str], advance: Callable[[int], None] = lambda _: None
) -> Replays:
    """Replay calls whose lengths are known, in time order, under each named policy.

    `advance` is told how many calls were done after each policy and after the floor.
    """
    policies = {}
    for name in names:
        policies[name] = replay(measured, POLICIES[name]())
        advance(len(measured))
    found = Replays(measured, replay_floor(measured), policies)
    advance(len(measured))
    return found


def row_bill(row: Row, found: RowReplay, calibration: Foreseen) -> RowBill:
    """A source replayed under a row, with the error that the model made on the source's own bills."""
    bill = RowBill(row, touched=found.touched, removed=found.removed, notes=found.notes)
    for one in found.replayed:
        bill.money.add(one)
    if calibration.billed:
        bill.off = bill.money.input_cost * calibration.off // calibration.billed
    return bill


def rows_in_all(sources: Iterable[SourceBill]) -> list[RowBill]:
    """Each row over all sources together."""
    whole: dict[str, RowBill] = {}
    for bill in (bill for source in sources for bill in source.rows):
        whole.setdefault(bill.row.name, RowBill(bill.row)).include(bill)
    return list(whole.values())


def foreseen(calls: Sequence[Reproduced]) -> Foreseen:
    """How the model foresaw these calls, added up."""
    found = Foreseen(calls=len(calls))
    off_by_run: Counter[str] = Counter()
    for one in calls:
        measured, usage = one.measured, one.measured.call.usage
        off = abs(one.outcome.read - usage.cache_read_input_tokens)
        found.within += off <= tolerance(usage.total_input)
        found.unexplained += one.dealt is not None
        found.inferred += measured.call.inferred
        model, billed = input_cost(one.outcome, measured.rates), billed_input(measured)
        found.model += model
        found.billed += billed
        off_by_run[measured.call.run] += model - billed
    found.squares = sum(off * off for off in off_by_run.values())
    return found


def foreseen_in_all(sources: Iterable[SourceBill]) -> Foreseen:
    """The calls of all sources together."""
    whole = Foreseen()
    for source in sources:
        whole.include(source.foreseen)
    return whole


def compare(runs: Sequence[RunBill], name: str) -> Comparison:
    """Policy `name` beside the recorded markers, run by run; `runs` must have been replayed under both."""

    def loss(run: RunBill) -> int:
        return run.policies[name].input_cost - run.policies["recorded"].input_cost

    dearer = sorted((run for run in runs if loss(run) > _TIE), key=loss, reverse=True)
    return Comparison(len(runs), len(runs) - len(dearer), tuple(dearer))


def add_up(runs: Sequence[RunBill]) -> RunBill:
    """All runs as one."""
    whole = RunBill("all runs")
    for run in runs:
        whole.calls += run.calls
        whole.floor += run.floor
        whole.billed += run.billed
        for name, money in run.policies.items():
            whole.policies.setdefault(name, Money()).include(money)
    return whole


def billed_input(measured: Measured) -> int:
    """What the recorded call's input was billed, picodollars."""
    usage, rates = measured.call.usage, measured.rates
    return (
        usage.input_tokens * rates.input
        + usage.write_5m * rates.write_5m
        + usage.write_1h * rates.write_1h
        + usage.cache_read_input_tokens * rates.read
    )
