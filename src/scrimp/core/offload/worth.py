"""Whether a reduction pays: what it saves at every step it is carried, against the fetches it may cause.

A fetch is a step of its own: it reads the whole context once more, says what it wants, and what comes back is
carried like anything else. How often a tool's results are asked for again is learned; until then each kind of
text has the odds that recorded agents had, who went on with something that the reduced text no longer held.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.offload.kinds import Kind
from scrimp.facts.prices import Rates

__all__ = ["Odds", "Outlook", "saved_by"]

_ASKING = 100
"""Tokens of output with which a model asks for a part of a text."""

_PART, _MOST_PART = 0.5, 3_000
"""How much of what was left out a fetch brings back: half of it, at most so many tokens."""

_BY_KIND: Mapping[Kind, float] = {
    "code": 0.6,
    "diff": 0.4,
    "text": 0.4,
    "listing": 0.35,
    "html": 0.35,
    "json": 0.25,
    "table": 0.1,
    "log": 0.05,
}
"""Fetches for each reduction: how many of them in recorded traffic lacked something that was used later, as
`python -m benchmarks.offloading` measures it (HTML was not among it).
"""

_ASSUMED = 8.0
"""Reductions that the odds known beforehand count for."""

_TOOLS = 1_000


class Outlook(msgspec.Struct, frozen=True):
    """Where a conversation stands: tokens of its prompt, and how many more calls are expected."""

    context: int
    calls: float


class Odds:
    """How often the results of a tool are asked for again, learned from what is."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}

    def of(self, tool: str, kind: Kind) -> float:
        """Fetches expected for a reduction of this tool's results."""
        reduced, fetched = self._known.get(tool, (0.0, 0.0))
        return (_ASSUMED * _BY_KIND[kind] + fetched) / (_ASSUMED + reduced)

    def reduced(self, tool: str) -> None:
        """A result of this tool was reduced."""
        self._add(tool, 1.0, 0.0)

    def fetched(self, tool: str) -> None:
        """Something of a result of this tool was fetched."""
        self._add(tool, 0.0, 1.0)

    def learned(self) -> dict[str, bytes]:
        """What was learned, by tool."""
        return {tool: msgspec.msgpack.encode(counts) for tool, counts in self._known.items()}

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """What was learned before; what cannot be understood is passed over."""
        for tool, data in kept.items():
            try:
                reduced, fetched = msgspec.msgpack.decode(data, type=tuple[float, float])
            except msgspec.DecodeError:
                continue
            if isfinite(reduced) and isfinite(fetched) and min(reduced, fetched) >= 0.0:
                self._known[tool] = (reduced, fetched)

    def _add(self, tool: str, reduced: float, fetched: float) -> None:
        before = self._known.pop(tool, (0.0, 0.0))
        self._known[tool] = (before[0] + reduced, before[1] + fetched)
        forget_oldest(self._known, _TOOLS)


def saved_by(before: int, after: int, outlook: Outlook, rates: Rates, odds: float) -> int:
    """Picodollars that a result of `after` tokens for one of `before` is expected to save, or to lose."""
    carried = rates.write_5m + outlook.calls * rates.read
    back = min(_PART * (before - after), _MOST_PART)
    fetch = outlook.context * rates.read + _ASKING * rates.output + (back + _ASKING) * carried
    return round((before - after) * carried - odds * fetch)
