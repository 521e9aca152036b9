"""Worked examples that are told everywhere, each recomputed from its own inputs and at today's prices.

Most are told without a source; what is said is quoted where a figure is always told with them, and left empty
where none is. Several do not follow from their own inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from scrimp.core.estimate.classics.example import Classic, Today
from scrimp.core.estimate.classics.loops import clearing, five_iterations, ten_steps
from scrimp.core.estimate.classics.shapes import agent_types
from scrimp.core.estimate.classics.sharing import eight_at_once, hundred_runs, shared_prefix
from scrimp.core.estimate.classics.tiers import monthly, thousand_tasks
from scrimp.core.estimate.classics.volume import classifications
from scrimp.facts.models import Facts

__all__ = ["CLASSICS", "classics"]

CLASSICS: Mapping[str, Callable[[Today], Classic]] = {
    "ten-steps": ten_steps,
    "five-iterations": five_iterations,
    "hundred-runs": hundred_runs,
    "thousand-tasks": thousand_tasks,
    "monthly": monthly,
    "agent-types": agent_types,
    "eight-at-once": eight_at_once,
    "clearing": clearing,
    "shared-prefix": shared_prefix,
    "classifications": classifications,
}
"""Name → the example by the prices and rules of a day."""


def classics(facts: Facts, day: date, names: Sequence[str] = tuple(CLASSICS)) -> tuple[Classic, ...]:
    """The examples of these names."""
    return tuple(CLASSICS[name](Today(facts, day)) for name in names)
