"""The size of tools and system over time, and the days it jumped.

Every call pays for its tools and system again, from the cache or not, so that a tool more is a rise of every
bill from that day on. A day's size is the median of its calls; it has jumped where it lies more than 3 % from
where it was, and the next day with calls agrees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from scrimp.core.totals import StaticSize

__all__ = ["Jump", "SizeHistory", "histories", "jumps"]

JUMP = 0.03


class Jump(msgspec.Struct, frozen=True):
    """From this day on, calls began with `after` tokens instead of `before`."""

    day: date
    before: int
    after: int

    @property
    def change(self) -> float:
        """As a share of what it was: 0.25 is a quarter more."""
        return (self.after - self.before) / self.before if self.before else 0.0


class SizeHistory(msgspec.Struct, frozen=True):
    """Tools and system of one kind of agent on one model: the median of each day in tokens, and its jumps.

    Tokens are estimates; `days` are those with calls.
    """

    label: str | None
    model: str
    calls: int
    days: tuple[tuple[date, int], ...]
    jumps: tuple[Jump, ...]

    @property
    def tokens(self) -> int:
        """Where it stands now."""
        return self.days[-1][1]


def histories(sizes: Iterable[StaticSize]) -> list[SizeHistory]:
    """The history of every label and model, those with most calls first."""
    counts: dict[tuple[str | None, str], dict[date, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for size in sizes:
        counts[size.label, size.model][size.day][size.tokens] = size.calls
    found = []
    for (label, model), by_day in counts.items():
        days = tuple((day, _median(by_day[day])) for day in sorted(by_day))
        calls = sum(sum(of_day.values()) for of_day in by_day.values())
        found.append(SizeHistory(label, model, calls, days, tuple(jumps(days))))
    return sorted(found, key=lambda one: (-one.calls, one.label or "", one.model))


def jumps(days: Sequence[tuple[date, int]]) -> list[Jump]:
    """Where a size changed and stayed; a change on the newest day counts until a later one disagrees."""
    found = []
    level = days[0][1] if days else 0
    for at, (day, tokens) in enumerate(days):
        stays = at + 1 == len(days) or _alike(days[at + 1][1], tokens)
        if not _alike(tokens, level) and stays:
            found.append(Jump(day, level, tokens))
            level = tokens
    return found


def _alike(one: int, other: int) -> bool:
    return abs(one - other) <= JUMP * max(one, other)


def _median(calls: Mapping[int, int]) -> int:
    """The size that half of the calls do not exceed."""
    half, seen = sum(calls.values()) / 2, 0
    for tokens in sorted(calls):
        seen += calls[tokens]
        if seen >= half:
            return tokens
    return 0
