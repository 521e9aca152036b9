"""What was spent, by model, day, project, session and more: exact sums of billed calls.

A file's calls are kept as counts of tokens (`Call`) under where they belong (`Place`), and priced together:
calls of one place share a model, a quarter of an hour and terms, so that one set of rates holds for all of
them on one side of a price tier. A call that its five counts do not describe carries its whole usage and is
billed by `bill`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property
from operator import add
from typing import Literal, get_args

import msgspec

__all__ = [
    "DIMENSIONS",
    "KINDS",
    "QUARTER",
    "Call",
    "Cell",
    "Dimension",
    "Line",
    "Place",
    "Spend",
    "Sums",
]

Dimension = Literal["day", "month", "hour", "model", "project", "session", "agent", "user", "task", "source"]
"""What spending can be told apart by. `agent` is the main conversation or a sub-agent's."""

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

KINDS = ("input", "write_5m", "write_1h", "read", "output", "web_search")
"""What is counted and paid for apart, in the order of `Sums`: tokens, and searches."""

QUARTER = 900
"""Seconds. Every time zone's days begin and end with a quarter of an hour of UTC."""

_TIMES: dict[str, str] = {"day": "%Y-%m-%d", "month": "%Y-%m", "hour": "%Y-%m-%d %H:00"}
_ZEROS = (0,) * len(KINDS)


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where calls belong. `quarter` counts quarters of an hour since the epoch, None where no time is known.

    `tier`, `speed` and `geo` are the terms that the usage states and prices depend on.
    """

    quarter: int | None
    model: str
    project: str
    session: str
    agent: str
    source: str
    tier: str | None = None
    speed: str | None = None
    geo: str | None = None
    user: str | None = None
    task: str | None = None


class Sums(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Calls added up: quantities and picodollars by kind, in the order of `KINDS`.

    `uncertain` are the picodollars of bills that are estimated in some part, as those of unknown models are.
    """

    calls: int = 0
    quantities: tuple[int, ...] = _ZEROS
    amounts: tuple[int, ...] = _ZEROS
    uncertain: int = 0

    @property
    def cost(self) -> int:
        """Picodollars of every kind together."""
        return sum(self.amounts)

    @property
    def tokens(self) -> int:
        """Tokens of every kind together."""
        return sum(self.quantities[:-1])

    def __add__(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            self.calls + other.calls,
            tuple(map(add, self.quantities, other.quantities)),
            tuple(map(add, self.amounts, other.amounts)),
            self.uncertain + other.uncertain,
        )


class Cell(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The sums of one place. `guessed` says why its model's price is not the published one of that model."""

    place: Place
    sums: Sums
    guessed: str | None = None


class Line(msgspec.Struct, frozen=True):
    """One value of a dimension, None where nothing says it."""

    name: str | None
    sums: Sums


class Spend(msgspec.Struct, frozen=True, dict=True):
    """What was spent, as the cells it is made of."""

    cells: Sequence[Cell]

    @cached_property
    def whole(self) -> Sums:
        """Everything."""
        return _sum(cell.sums for cell in self.cells)

    @property
    def api_equivalent(self) -> bool:
        """Whether transcripts are part of it: on a subscription they cost what the plan costs, not this."""
        return any(cell.place.source == "transcript" for cell in self.cells)

    @property
    def guesses(self) -> dict[str, str]:
        """Models whose price is not their own published one, and where it is from."""
        return {cell.place.model: cell.guessed for cell in self.cells if cell.guessed}

    def by(self, dimension: Dimension, zone: tzinfo = UTC) -> list[Line]:
        """The lines of one dimension: times in order, everything else dearest first.

        Days, months and hours are those of `zone`.
        """
        name_of = _namer(dimension, zone)
        groups: dict[str | None, list[Sums]] = {}
        for cell in self.cells:
            groups.setdefault(name_of(cell.place), []).append(cell.sums)
        lines = [Line(name, _sum(sums)) for name, sums in groups.items()]
        if dimension in _TIMES:
            return sorted(lines, key=lambda line: line.name or "")
        return sorted(lines, key=lambda line: (-line.sums.cost, line.name or ""))

    def between(self, since: date | None, until: date | None, zone: tzinfo = UTC) -> Spend:
        """Only from the first day on and up to the last, itself included; without days, all of it.

        Calls whose time is not known are of no day.
        """
        if since is None and until is None:
            return self
        day_of = _namer("day", zone)
        low, high = str(since or date.min), str(until or date.max)
        return Spend([cell for cell in self.cells if low <= (day_of(cell.place) or "") <= high])


class Call(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One billed call: its id, which place it belongs to (an index), and its tokens.

    `usage` is the whole usage, as JSON, where the counts do not say all that is billed.
    """

    id: str
    place: int
    input: int
    write_5m: int
    write_1h: int
    read: int
    output: int
    usage: bytes | None = None


def _sum(many: Iterable[Sums]) -> Sums:
    """All of them, added up column by column."""
    rows = list(many)
    if not rows:
        return Sums()
    return Sums(
        sum(row.calls for row in rows),
        tuple(map(sum, zip(*(row.quantities for row in rows), strict=True))),
        tuple(map(sum, zip(*(row.amounts for row in rows), strict=True))),
        sum(row.uncertain for row in rows),
    )


def _namer(dimension: Dimension, zone: tzinfo) -> Callable[[Place], str | None]:
    """What names a place in a dimension; a time is worked out once for each quarter of an hour."""
    if dimension not in _TIMES:
        return lambda place: getattr(place, dimension)
    names: dict[int | None, str | None] = {None: None}

    def name(place: Place) -> str | None:
        quarter = place.quarter
        if quarter is not None and quarter not in names:
            names[quarter] = datetime.fromtimestamp(quarter * QUARTER, zone).strftime(_TIMES[dimension])
        return names[quarter]

    return name
