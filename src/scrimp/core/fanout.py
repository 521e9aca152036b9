"""When each request of a fan-out goes: the first of a shared prefix alone, the others once it is readable.

An entry can be read once the response that writes it begins ("Prompt caching", concurrent requests), so N
identical prefixes sent at once are N writes. Here the first request that comes to a cold prefix leads: it
goes alone until its response begins, then the others follow. A leader that fails before that is replaced by
the next of its group. Groups run one after another, so that each request reads its prefix before it expires.

A state machine without clock or I/O: `take`, `began`, `ended`, with `now` in seconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from scrimp.core.prompt import Digest
from scrimp.core.sharing import Place

__all__ = ["Schedule", "Start"]


class Start(msgspec.Struct, frozen=True):
    """Send request number `index` now; one that `leads` is to be watched for the start of its response."""

    index: int
    leads: bool


class _Entry(msgspec.Struct):
    """What is known of one prefix: who is writing it, and until when it can be read."""

    leader: int | None = None
    warm_until: float = float("-inf")


class _Group(msgspec.Struct):
    """Requests with the same places, in order."""

    path: tuple[Place, ...]
    waiting: deque[int] = msgspec.field(default_factory=deque)


class _Running(msgspec.Struct):
    """A request under way, and the places it is the first to write."""

    group: _Group
    started_at: float
    writes: tuple[Place, ...] = ()


class Schedule:
    """A fan-out of requests with these places (`sharing.Shared.path`), at most `limit` of them at once."""

    def __init__(self, paths: Sequence[Sequence[Place]], *, limit: int) -> None:
        self._limit = limit
        self._running: dict[int, _Running] = {}
        self._entries = {place.prefix: _Entry() for path in paths for place in path}
        self._groups = _groups(paths)

    @property
    def done(self) -> bool:
        """Whether every request has ended."""
        return not self._running and not self._groups

    def take(self, now: float) -> list[Start]:
        """What goes now. As long as something is left, something is under way after this."""
        starts: list[Start] = []
        while len(self._running) < self._limit and (group := self._next(now)) is not None:
            starts.append(self._start(group, now))
        return starts

    def began(self, index: int) -> None:
        """The response of a leader began: what it wrote can be read."""
        running = self._running[index]
        for place in running.writes:
            entry = self._entries[place.prefix]
            entry.leader = None
            entry.warm_until = running.started_at + place.seconds
        running.writes = ()

    def ended(self, index: int, *, answered: bool) -> None:
        """A request is over. A leader that was never answered leaves its place to the next."""
        if answered:
            self.began(index)
        for place in self._running.pop(index).writes:
            self._entries[place.prefix].leader = None

    def again(self, index: int) -> None:
        """A request has to be sent once more: it is the next of its group."""
        group = self._running[index].group
        self.ended(index, answered=False)
        if not group.waiting:
            self._groups.append(group)
        group.waiting.appendleft(index)

    def _next(self, now: float) -> _Group | None:
        """A new group while those that were begun keep too few busy, else the next that can read."""
        ready = alone = None
        begun = 0
        for group in self._groups:
            if not group.path:
                alone = group
            elif self._is_begun(group, now):
                begun += len(group.waiting)
                ready = ready or (group if self._is_warm(group.path[-1], now) else None)
            elif all(self._entries[place.prefix].leader is None for place in group.path):
                if begun < self._limit:
                    return group
                break
        return ready or alone

    def _start(self, group: _Group, now: float) -> Start:
        index = group.waiting.popleft()
        if not group.waiting:
            self._groups.remove(group)
        read = max((at for at, place in enumerate(group.path) if self._is_warm(place, now)), default=-1)
        if read >= 0:
            place = group.path[read]
            entry = self._entries[place.prefix]
            entry.warm_until = max(entry.warm_until, now + place.seconds)
        writes = group.path[read + 1 :]
        for place in writes:
            self._entries[place.prefix].leader = index
        self._running[index] = _Running(group, now, writes)
        return Start(index, leads=bool(writes))

    def _is_begun(self, group: _Group, now: float) -> bool:
        place = group.path[-1]
        return self._entries[place.prefix].leader is not None or self._is_warm(place, now)

    def _is_warm(self, place: Place, now: float) -> bool:
        return now < self._entries[place.prefix].warm_until


def _groups(paths: Iterable[Sequence[Place]]) -> list[_Group]:
    """Requests by their places: what shares most stands together, in the order of first appearance."""
    seen: dict[Digest, int] = {}
    groups: dict[tuple[Place, ...], _Group] = {}
    for index, path in enumerate(paths):
        for place in path:
            seen.setdefault(place.prefix, index)
        groups.setdefault(tuple(path), _Group(tuple(path))).waiting.append(index)
    return sorted(groups.values(), key=lambda group: [seen[place.prefix] for place in group.path])
