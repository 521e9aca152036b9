"""What records add up to: sums by any of their labels, and the sizes of what every prompt begins with."""

from __future__ import annotations

from datetime import date
from typing import Literal, TypeAlias

import msgspec

__all__ = ["Group", "Key", "StaticSize", "Total", "rounded_size"]

Group = Literal[
    "hour", "day", "provider", "model", "mode", "outcome", "run", "run_ids", "run_id", "user", "team", "key",
    "task_type", "inferred", "agent", "miss",
]  # fmt: skip
"""What totals can be told apart by. Hours and days are UTC, of `started_at`; `run_id` is the outermost run's
id, `miss` the cause where the cache was not read as it should have been."""

Key: TypeAlias = str | int | date | tuple[str, ...] | None
"""One value of a group: `hour` is the epoch second it begins, `day` a date, `run` and `run_ids` paths from
the outermost run inwards, `inferred` a truth value, the rest as the record says."""


class Total(msgspec.Struct, frozen=True):
    """What the records of one group add up to, exactly; `key` has one value for each of `group_by`.

    Tokens are the top-level counts of the usages (`write_5m` and `write_1h` by lifetime; what compaction and
    advisors used is in the money alone). Money in picodollars: `estimated_cost` is the part of `cost` that is
    not measured, `compared_cost` the part whose records also have an `own_cost`, `lost` what misses cost.
    """

    key: tuple[Key, ...] = ()
    attempts: int = 0
    input_tokens: int = 0
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    output_tokens: int = 0
    cost: int = 0
    estimated_cost: int = 0
    own_cost: int = 0
    compared_cost: int = 0
    lost: int = 0

    @property
    def saved(self) -> int:
        """Picodollars below the callers' own requests (an estimate), of the records that say both."""
        return self.own_cost - self.compared_cost

    @property
    def prompt_tokens(self) -> int:
        """Input tokens of every kind."""
        return self.input_tokens + self.write_5m + self.write_1h + self.read


class StaticSize(msgspec.Struct, frozen=True):
    """How many calls of one kind began with tools and system of that size on a day (UTC).

    `tokens` is the estimate, to three figures; `label` what kind of agent called (see `Tags.label`).
    """

    day: date
    label: str | None
    model: str
    tokens: int
    calls: int


def rounded_size(tokens: int) -> int:
    """A size to three figures: estimates of the same tools differ a little as factors are learned."""
    unit = 1 if tokens < 1_000 else 10 if tokens < 10_000 else 100 if tokens < 100_000 else 1_000
    return (tokens + unit // 2) // unit * unit
