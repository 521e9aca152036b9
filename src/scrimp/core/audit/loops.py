"""Steps that need not have been: the same tool call over and over, and look-ups one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.audit.walk import Asked, Result, Walked, billed_rates, bounds_of
from scrimp.core.audit.weighed import Evidences, Weighed
from scrimp.core.recorded import RecordedCall

__all__ = ["StepSums"]

_ALLOWED = 3
_LOOK_UPS = (
    "read",
    "grep",
    "glob",
    "ls",
    "list",
    "search",
    "find",
    "view",
    "get",
    "fetch",
    "web",
    "cat",
    "open",
)
_SHARE = 3
"""Of look-ups in a row, of which the recording does not show whether one led to the other, one in so many is
taken to be independent."""


class _Lane:
    def __init__(self) -> None:
        self.key: tuple[str, bytes] | None = None
        self.times = 0
        self.look_up: Asked | None = None
        self.spared = 0
        self.where = ""


class StepSums:
    """Adds up such steps as calls are walked, source by source."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._looped = self._loops = 0
        self._row = self._rows = 0
        self._loop_places, self._row_places = Evidences(), Evidences()

    def add(self, walked: Walked) -> None:
        """Take one call of the source being walked."""
        call = walked.call
        lane = self._lanes.setdefault((call.run, walked.lane), _Lane())
        fresh = _fresh(walked)
        self._follow_loop(lane, call, fresh)
        self._follow_look_ups(lane, call, fresh)

    def end_source(self) -> None:
        """The source is over."""
        self._lanes = {}

    def weighed(self) -> list[Weighed]:
        """What a guard against loops, and asking together, would have spared."""
        loop = Weighed(
            lever="loop-guard",
            low=self._looped // 2,
            mid=self._looped,
            high=self._looped,
            cases=self._loops,
            says=f"{self._loops:,} calls came after the third identical tool call in a row",
            evidence=self._loop_places.result(),
        )
        row = Weighed(
            lever="parallel-tools",
            low=0,
            mid=self._row // _SHARE,
            high=self._row,
            cases=self._rows,
            says=f"{self._rows:,} calls did nothing but pass one look-up's result on to the next look-up; "
            f"one in {_SHARE} is taken to have been independent",
            evidence=self._row_places.result(),
        )
        return [loop, row]

    def _follow_loop(self, lane: _Lane, call: RecordedCall, fresh: Sequence[Result]) -> None:
        asked = {(one.asked.tool, one.asked.key) for one in fresh if one.asked.key is not None}
        only = next(iter(asked)) if len(asked) == 1 else None
        if only is None or only[1] is None:
            lane.key, lane.times = None, 0
            return
        lane.times = lane.times + 1 if lane.key == only else 1
        lane.key = (only[0], only[1])
        if lane.times > _ALLOWED:
            cost = _cost(call)
            self._looped += cost
            self._loops += 1
            self._loop_places.add(call.where, f"{only[0]}, the same for the {lane.times}th time", cost)

    def _follow_look_ups(self, lane: _Lane, call: RecordedCall, fresh: Sequence[Result]) -> None:
        """A call between two look-ups could have been left out, had both been asked for at once."""
        asked = fresh[0].asked if len(fresh) == 1 and _is_look_up(fresh[0].asked.tool) else None
        if asked is not None and lane.look_up is not None and asked != lane.look_up:
            self._row += lane.spared
            self._rows += 1
            self._row_places.add(lane.where, f"{lane.look_up.tool}, then {asked.tool}", lane.spared)
        lane.look_up, lane.where = asked, call.where
        lane.spared = bounds_of(call)[0] * billed_rates(call).read


def _fresh(walked: Walked) -> list[Result]:
    """The results that came in with this call."""
    found = []
    for result in reversed(walked.results):
        if result.last < walked.same:
            break
        found.append(result)
    return found[::-1]


def _is_look_up(tool: str) -> bool:
    return tool.rsplit("__", 1)[-1].lower().startswith(_LOOK_UPS)


def _cost(call: RecordedCall) -> int:
    usage, rates = call.usage, billed_rates(call)
    return (
        usage.cache_read_input_tokens * rates.read
        + usage.write_1h * rates.write_1h
        + usage.write_5m * rates.write_5m
        + usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
    )
