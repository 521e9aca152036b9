"""What all workers have counted, for whichever of them is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from scrimp.gateway.metrics import Count
from scrimp.gateway.workers.member import Member
from scrimp.gateway.workers.words import CountNow, Counts, said
from scrimp.telemetry.summing import summed

__all__ = ["Counting"]

_PATIENCE = 2.0
"""Seconds after which a worker that says nothing is taken at its last word."""


class Counting:
    """Asks the workers, and remembers what those had counted that are gone: counters never go down."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._last: dict[int, Count] = {}
        self._gone: bytes = b""
        self._asked: list[_Round] = []

    def wanted(self, by: Member, number: int, count: Count) -> None:
        """A worker that has counted so much wants to know what the others have."""
        self._last[by.number] = count
        others = {member.number for member in self._members if member.ready and member is not by}
        this = _Round(by, number, others)
        self._asked.append(this)
        asyncio.get_running_loop().call_later(_PATIENCE, self._answer, this)
        for member in self._members:
            if member.number in others:
                member.say(said(CountNow()))
        if not others:
            self._answer(this)

    def came(self, member: Member, count: Count) -> None:
        """A worker says what it has counted."""
        self._last[member.number] = count
        self._heard_of(member)

    def gone(self, member: Member) -> None:
        """A worker is gone; what it had counted when it was last asked stays."""
        last = self._last.pop(member.number, None)
        if last is not None:
            self._gone = summed([self._gone, last.text] if self._gone else [last.text])
        self._heard_of(member)

    def _heard_of(self, member: Member) -> None:
        for this in tuple(self._asked):
            this.missing.discard(member.number)
            if not this.missing:
                self._answer(this)

    def _answer(self, this: _Round) -> None:
        if this not in self._asked:
            return
        self._asked.remove(this)
        counts = [count for number, count in self._last.items() if number != this.by.number]
        if self._gone:
            counts.append(Count(self._gone, {}))
        this.by.say(said(Counts(this.number, counts)))


class _Round:
    """One look at all counters: who asked, and whose are missing."""

    def __init__(self, by: Member, number: int, missing: set[int]) -> None:
        self.by = by
        self.number = number
        self.missing = missing
