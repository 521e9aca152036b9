"""What a ledger says about a time: sums by anything, who stands out, and what few things make the bill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import add
from typing import Literal, TypeAlias, cast, get_args

import msgspec

from scrimp.core.outliers import Outlier
from scrimp.core.sizes import SizeHistory
from scrimp.core.totals import Group, Key, Total

__all__ = ["DIMENSIONS", "FINEST", "Dimension", "Few", "Line", "Report", "Standout", "added", "few_that_make"]

Dimension = Literal[
    "model", "user", "team", "key", "run", "sub_agent", "task", "agent", "day", "provider", "mode", "outcome"
]
"""What a report can be told apart by. `run` is the outermost run's name, `sub_agent` the path of a run inside
another one, `task` the task type."""

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

FINEST: tuple[Group, ...] = (
    "provider", "model", "mode", "outcome", "run", "user", "team", "key", "task_type", "inferred", "agent",
    "miss",
)  # fmt: skip
"""The groups that every dimension but `day` is added up from."""

Parts: TypeAlias = tuple[Key, ...]
"""The values of a key, in the order of its groups."""

_MOST_OF_THE_BILL = 0.8


class Line(msgspec.Struct, frozen=True):
    """One value of a dimension, None where nobody said; `inferred` task types are guessed by the requests."""

    name: str | None
    total: Total
    inferred: bool = False


class Standout(msgspec.Struct, frozen=True):
    """A user among the users, or a run (by its id) among those of the name `among`, that spent far more."""

    kind: Literal["user", "run"]
    outlier: Outlier
    among: str | None = None


class Few(msgspec.Struct, frozen=True):
    """The fewest lines that make `share` of the bill (at least four fifths of it), of so many `lines`."""

    names: tuple[str | None, ...]
    share: float
    lines: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The records of a time, added up. Times in epoch seconds; None: no bound.

    `finest` are the totals by `FINEST`, `days` those by day and model. `runs_since` bounds the runs that were
    compared with one another, `kept_since` is when records begin that can still be listed (None: all can).
    """

    since: float | None
    until: float | None
    whole: Total
    finest: Sequence[Total]
    days: Sequence[Total]
    standouts: Sequence[Standout] = ()
    sizes: Sequence[SizeHistory] = ()
    runs_since: float | None = None
    kept_since: float | None = None

    def by(self, dimension: Dimension) -> list[Line]:
        """The lines of one dimension: days in order, everything else dearest first."""
        if dimension == "day":
            days = added(self.days, lambda key: key[:1])
            return [Line(str(total.key[0]), total) for total in days]
        totals = added(self.finest, _KEYS[dimension])
        lines = [
            Line(_text(total.key[0]), total, inferred=len(total.key) > 1 and bool(total.key[1]))
            for total in totals
        ]
        return sorted(lines, key=lambda line: (-line.total.cost, line.name or ""))

    def misses(self) -> list[Line]:
        """What misses cost by cause, the dearest first; causes that lost nothing are left out."""
        at = FINEST.index("miss")
        causes = added(self.finest, lambda key: (key[at],))
        totals = (total for total in causes if total.key[0] is not None and total.lost > 0)
        return [Line(str(t.key[0]), t) for t in sorted(totals, key=lambda t: (-t.lost, -t.attempts))]


def _column(group: Group) -> Callable[[Parts], Parts]:
    at = FINEST.index(group)
    return lambda key: (key[at],)


def _of_path(name: Callable[[tuple[str, ...]], str | None]) -> Callable[[Parts], Parts]:
    at = FINEST.index("run")
    return lambda key: (name(cast("tuple[str, ...]", key[at])),)


def _task(key: Parts) -> Parts:
    return key[_TASK], key[_INFERRED]


_TASK, _INFERRED = FINEST.index("task_type"), FINEST.index("inferred")
_KEYS: dict[str, Callable[[Parts], Parts]] = {
    "model": _column("model"),
    "user": _column("user"),
    "team": _column("team"),
    "key": _column("key"),
    "run": _of_path(lambda run: run[0] if run else None),
    "sub_agent": _of_path(lambda run: "/".join(run) if len(run) > 1 else None),
    "task": _task,
    "agent": _column("agent"),
    "provider": _column("provider"),
    "mode": _column("mode"),
    "outcome": _column("outcome"),
}


def added(totals: Iterable[Total], key: Callable[[Parts], Parts]) -> list[Total]:
    """Totals added up by another key of theirs, in the order of its first appearance."""
    sums: dict[Parts, Sequence[int]] = {}
    for total in totals:
        found = key(total.key)
        numbers = msgspec.structs.astuple(total)[1:]
        before = sums.get(found)
        sums[found] = numbers if before is None else tuple(map(add, before, numbers))
    return [Total(found, *numbers) for found, numbers in sums.items()]


def few_that_make(lines: Sequence[Line], share: float = _MOST_OF_THE_BILL) -> Few | None:
    """The fewest lines that make a share of the bill; None where nothing was spent."""
    whole = sum(line.total.cost for line in lines)
    if whole <= 0:
        return None
    names: list[str | None] = []
    spent = 0
    for line in sorted(lines, key=lambda line: -line.total.cost):
        if spent >= share * whole:
            break
        names.append(line.name)
        spent += line.total.cost
    return Few(tuple(names), spent / whole, len(lines))


def _text(key: Key) -> str | None:
    return None if key is None else str(key)
