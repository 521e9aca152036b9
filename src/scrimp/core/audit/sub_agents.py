"""Sub-agents against the same steps in the main conversation.

In its own conversation a sub-agent begins with a prefix of its own and carries only what it finds itself. In
the main conversation every one of its steps would have read the main prompt too, and what it found would have
been carried on to the end. Which is cheaper depends on how long both are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from scrimp.core.audit.walk import Walked, billed_rates
from scrimp.core.audit.weighed import Evidences, Weighed
from scrimp.core.money import rounded
from scrimp.facts.prices import Rates

__all__ = ["SubAgentSums"]

_MAIN, _SUB = "main", "sub-agent"


class _Step(msgspec.Struct, frozen=True, gc=False):
    where: str
    at: float
    total: int
    fresh: int
    output: int
    amount: int
    rates: Rates


class SubAgentSums:
    """Weighs sub-agents as calls are walked, source by source."""

    def __init__(self) -> None:
        self._main: dict[str, list[_Step]] = defaultdict(list)
        self._lanes: dict[tuple[str, str], list[_Step]] = defaultdict(list)
        self._lost = self._won = 0
        self._cases = self._agents = 0
        self._places = Evidences()

    def add(self, walked: Walked) -> None:
        """Take one call of the source being walked."""
        call, rates = walked.call, billed_rates(walked.call)
        if call.label not in (_MAIN, _SUB):
            return
        usage = call.usage
        front = walked.measured.ends[max(walked.same - 1, call.prompt.static_end, 0)]
        amount = (
            usage.cache_read_input_tokens * rates.read
            + usage.write_5m * rates.write_5m
            + usage.write_1h * rates.write_1h
            + usage.input_tokens * rates.input
            + usage.output_tokens * rates.output
        )
        fresh = max(usage.total_input - front, 0)
        step = _Step(call.where, call.at, usage.total_input, fresh, usage.output_tokens, amount, rates)
        (self._main[call.run] if call.label == _MAIN else self._lanes[call.run, walked.lane]).append(step)

    def end_source(self) -> None:
        """The source is over: each sub-agent is weighed against its main conversation."""
        for (run, _), steps in self._lanes.items():
            main = self._main.get(run, [])
            before = [one for one in main if one.at <= steps[0].at]
            if not before:
                continue
            later = sum(one.at > steps[-1].at for one in main)
            self._agents += 1
            excess = sum(one.amount for one in steps) - _in_main(before[-1], steps, later)
            if excess > 0:
                self._lost += excess
                self._cases += 1
                self._places.add(steps[0].where, f"{len(steps)} steps of a sub-agent", excess)
            else:
                self._won -= excess
        self._main, self._lanes = defaultdict(list), defaultdict(list)

    def weighed(self) -> Weighed:
        """What the sub-agents that did not pay cost too much."""
        return Weighed(
            lever="fan-out-cost",
            low=0,
            mid=self._lost,
            high=self._lost * 13 // 10,
            cases=self._agents,
            says=f"{self._cases:,} of {self._agents:,} sub-agents cost more than the same steps in the main "
            f"conversation would have; the others spared ${rounded(self._won, 2)} together",
            evidence=self._places.result(),
        )


def _in_main(spawned: _Step, steps: Sequence[_Step], later: int) -> int:
    """What the steps would have cost in the main conversation, which `later` calls follow."""
    rates = spawned.rates
    carried, amount = spawned.total, 0
    for step in steps:
        amount += carried * rates.read + step.fresh * rates.write_5m + step.output * rates.output
        carried += step.fresh
    return amount + later * (carried - spawned.total) * rates.read
