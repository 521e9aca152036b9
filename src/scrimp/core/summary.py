"""Replays added up: the bill of each run and of all under each policy, against the floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from scrimp.core.lengths import Lengths
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import POLICIES, Measured, Replayed, measure, replay, replay_floor

__all__ = ["Money", "Replays", "RunBill", "add_up", "replay_source"]

_KINDS = ("plain", "write_5m", "write_1h", "read", "output")


class Money(msgspec.Struct):
    """A bill in picodollars, with the tokens of each kind behind it."""

    input_cost: int = 0
    output_cost: int = 0
    tokens: Counter[str] = msgspec.field(default_factory=lambda: Counter(dict.fromkeys(_KINDS, 0)))

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input_cost + self.output_cost

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
        self.tokens.update(other.tokens)


class RunBill(msgspec.Struct):
    """One run: its floor, its billed input cost (picodollars) and its bill under each policy."""

    run: str
    calls: int = 0
    floor: int = 0
    billed: int = 0
    policies: dict[str, Money] = msgspec.field(default_factory=dict)


class Replays(msgspec.Struct, frozen=True):
    """One source replayed: `measured` calls in time order and each policy's outcome for them."""

    measured: Sequence[Measured]
    floor: Sequence[int]
    policies: Mapping[str, Sequence[Replayed]]

    def runs(self) -> list[RunBill]:
        """A bill for each run, in the order the runs began."""
        found: dict[str, RunBill] = {}
        for number, measured in enumerate(self.measured):
            call = measured.call
            run = found.setdefault(call.run, RunBill(call.run, policies={n: Money() for n in self.policies}))
            run.calls += 1
            run.floor += self.floor[number]
            run.billed += billed_input(measured)
            for name, calls in self.policies.items():
                run.policies[name].add(calls[number])
        return list(found.values())


def replay_source(calls: Sequence[RecordedCall], names: Sequence[str]) -> Replays:
    """Replay one source's calls, in time order, under each named policy."""
    lengths = Lengths()
    for call in calls:
        lengths.reveal(call.prompt, call.usage)
    measured = measure(calls, lengths)
    policies = {name: replay(measured, POLICIES[name]()) for name in names}
    return Replays(measured, replay_floor(measured), policies)


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
