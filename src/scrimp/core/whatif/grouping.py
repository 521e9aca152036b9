"""Runs grouped in time: those that begin with one prefix wait a little and go out together.

Within a window of given length every run that begins with the same tools and system waits for the window's
end; the first of them goes out, and the others once its answer has begun, so that one run writes the prefix
and the others read it. Runs keep their own pace; nothing but their start changes. Which runs can wait only
the caller knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from scrimp.core.prompt import Digest
from scrimp.core.replay import POLICIES, replay
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.order import in_time_order

__all__ = ["Grouped", "GroupingAdvice", "grouping_advice"]

_STEP = 1.0
"""Seconds until an answer begins where the recording does not say."""


class GroupingAdvice(msgspec.Struct, frozen=True):
    """What grouping within a window would have done; money in picodollars.

    `prefixes` is how many prefixes were shared by runs that could be grouped, `moved` how many runs would
    have waited, `longest` seconds at most. `before` and `after` are the input of all calls under their own
    markers, through the same model.
    """

    window: float
    prefixes: int
    moved: int
    longest: float
    before: int
    after: int

    @property
    def saved(self) -> int:
        """What grouping saves; negative where it costs more."""
        return self.before - self.after


class Grouped:
    """Runs that share tools and system brought together inside windows of some seconds."""

    def __init__(self, window: float) -> None:
        """`window` is in seconds: no run waits longer, but for its turn."""
        self._window = window

    @property
    def name(self) -> str:
        return f"group={self._window:g}s"

    def describe(self) -> str:
        return f"runs that share tools and system wait up to {self._window:g} s and go out together"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        delays = _delays(calls, self._window)
        found = [_later(one, delays.get(one.call.run, 0.0)) for one in calls]
        note = "that runs could wait is your claim: no recording shows it"
        touched = sum(delays.get(one.call.run, 0.0) > 0 for one in calls)
        return Changed(found, (0,) * len(found), touched=touched, notes=(note,))


def grouping_advice(calls: Sequence[Measured], windows: Iterable[float]) -> list[GroupingAdvice]:
    """What grouping the runs of one source would have saved, for each window in seconds."""
    before = _input(calls)
    found = []
    for window in windows:
        delays = {run: wait for run, wait in _delays(calls, window).items() if wait > 0}
        after = _input(Grouped(window).apply(calls).calls) if delays else before
        shared = {_front(one) for one in calls if one.call.run in delays}
        longest = max(delays.values(), default=0.0)
        found.append(GroupingAdvice(window, len(shared), len(delays), longest, before, after))
    return found


def _input(calls: Sequence[Measured]) -> int:
    ordered = [calls[place] for place in in_time_order(calls)]
    replayed = replay(ordered, POLICIES["recorded"]())
    return sum(one.input_cost for one in replayed)


def _delays(calls: Sequence[Measured], window: float) -> dict[str, float]:
    """By run, how many seconds later it begins."""
    first: dict[str, Measured] = {}
    for one in calls:
        if one.call.timed:
            first.setdefault(one.call.run, one)
    groups: dict[tuple[Digest, float], list[Measured]] = defaultdict(list)
    for one in first.values():
        front = _front(one)
        if front is not None:
            groups[front, one.call.at // window].append(one)
    delays: dict[str, float] = {}
    for (_, number), together in groups.items():
        if len(together) > 1:
            _gather(together, (number + 1) * window, delays)
    return delays


def _gather(together: Sequence[Measured], end: float, delays: dict[str, float]) -> None:
    leader = together[0].call
    delays[leader.run] = end - leader.at
    ready = end + max((leader.began_at or leader.at + _STEP) - leader.at, _STEP)
    for one in together[1:]:
        delays[one.call.run] = max(ready - one.call.at, 0.0)


def _front(one: Measured) -> Digest | None:
    """The prefix of tools and system, if a call marks any of it and it is long enough to be cached."""
    prompt, end = one.call.prompt, one.call.prompt.static_end
    if end < 0 or not prompt.markers or one.ends[end] < one.call.rules.minimum:
        return None
    return prompt.prefixes[end]


def _later(one: Measured, seconds: float) -> Measured:
    if not seconds:
        return one
    call = one.call
    began = None if call.began_at is None else call.began_at + seconds
    used = tuple(msgspec.structs.replace(use, at=use.at + seconds) for use in one.used)
    call = msgspec.structs.replace(call, at=call.at + seconds, began_at=began)
    return msgspec.structs.replace(one, call=call, used=used)
