"""What is waiting for its next use, and for how long already: what tables of gaps learn from."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Hashable
from math import inf

import msgspec

from scrimp.core.gaps import EDGES, GapTable

__all__ = ["Waits"]

_WAITS_REMEMBERED = 8_000


class _Wait(msgspec.Struct, gc=False):
    since: float
    tables: tuple[GapTable, ...]
    over: bool = False


class Waits:
    """What is waiting for its next use, by key; every table of a wait is told how long it goes on."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, _Wait] = OrderedDict()
        self._in_bin: list[deque[_Wait]] = [deque() for _ in EDGES]
        self._due = inf
        """Until then no wait outlasts a bin."""

    def __contains__(self, key: Hashable) -> bool:
        return key in self._waiting

    def begin(self, key: Hashable, now: float, tables: tuple[GapTable, ...]) -> None:
        """`key` was used now; a wait of the same key that is still going on must have been ended."""
        wait = _Wait(now, tables)
        self._waiting[key] = wait
        self._in_bin[0].append(wait)
        due = now + EDGES[0]
        if due < self._due:
            self._due = due
        if len(self._waiting) > _WAITS_REMEMBERED:
            self._waiting.popitem(last=False)[1].over = True

    def end(self, key: Hashable, now: float) -> bool:
        """`key` is used again; whether it was waiting. Call `pass_to(now)` first."""
        wait = self._waiting.pop(key, None)
        if wait is None or wait.over:
            return False
        wait.over = True
        gap = now - wait.since
        if gap < EDGES[-1]:
            ended = bisect_right(EDGES, gap)
            for table in wait.tables:
                table.count(ended, 1)
        return True

    def pass_to(self, now: float) -> None:
        """Time went by: waits that outlasted a bin are counted in it."""
        if now < self._due:
            return
        for bin_, edge in enumerate(EDGES):
            queue = self._in_bin[bin_]
            while queue and (queue[0].over or queue[0].since + edge <= now):
                wait = queue.popleft()
                if wait.over:
                    continue
                for table in wait.tables:
                    table.count(bin_, 0)
                if bin_ + 1 < len(EDGES):
                    self._in_bin[bin_ + 1].append(wait)
        firsts = zip(self._in_bin, EDGES, strict=True)
        self._due = min((queue[0].since + edge for queue, edge in firsts if queue), default=inf)
