"""Requests that need a prefix which another one is writing just now wait until they can read it.

Between plan and send. Whoever is the first to write a prefix leads; the others wait for the start of its
response, are planned again, and read. A leader that fails leaves its place to one of those who wait. Nobody
waits for longer than the settings allow or than it is worth, and a client that leaves waits no more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from time import monotonic
from typing import Any, ClassVar

import msgspec

from scrimp.core.cache import Outcome
from scrimp.core.commands import Began, Dropped, Plan
from scrimp.core.following import Beginnings, Follow, following
from scrimp.core.prompt import Digest
from scrimp.core.workspace import Planned
from scrimp.errors import PlanError
from scrimp.gateway.cache_settings import FanoutSettings
from scrimp.gateway.elsewhere import Elsewhere
from scrimp.gateway.shared import Claims
from scrimp.office import CallDesk, Office
from scrimp.runs import Run

__all__ = ["GatedDesk", "Gating"]

_ANOTHER: tuple[Digest, ...] = (b"another worker",)
"""Who leads where another worker does: what this stands for is nobody's plan."""

_FORGOTTEN_AFTER = 120.0
_PRUNE_AT = 4096

Told = Callable[[str, float], object]
"""How a wait ended, and its seconds: `read`, `lead` or `in vain`."""


class _Led:
    """One prefix that is being written, by whom and since when, and those who wait for it, in order.

    Who it is can be told by what it writes: that tuple itself stays with a plan whatever becomes of it.
    """

    __slots__ = ("kind", "leader", "since", "waiting")

    def __init__(self) -> None:
        self.leader: tuple[Digest, ...] | None = None
        self.kind: Hashable = None
        self.since = 0.0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def wake_one(self) -> bool:
        """Wake the first who still waits; False when nobody does."""
        while self.waiting:
            place = self.waiting.popleft()
            if not place.done():
                place.set_result(None)
                return True
        return False


class Gating:
    """Who waits for whom in one gateway; for the thread of its event loop alone.

    Accounts are apart: nothing one of them writes can be read by another.
    """

    def __init__(
        self, settings: FanoutSettings, told: Told | None = None, claims: Claims | None = None
    ) -> None:
        """`claims` are what the other workers of this gateway write."""
        self._settings = settings
        self._elsewhere = None if claims is None else Elsewhere(claims, self._told_of)
        self._told = told
        self._beginnings = Beginnings()
        self.following = 0

    async def gathered(self, planned: Planned, office: Office, *, stream: bool) -> Planned:
        """The plan to send, once there is nothing left worth waiting for. May be cancelled at any time."""
        led: dict[Digest, _Led] = office.led
        came, until = monotonic(), None
        followed, how = None, ""
        while True:
            follow = self._follow(planned, led, until)
            if follow is None:
                known = self._claimed(planned, office, led)
                if known is None:
                    break
                planned = known
                continue
            _pass_on(led, followed)
            until = came + self._patience(follow) if until is None else until
            followed = follow.prefix
            office.unplan(planned)
            in_time = await self._wait(led, followed, until - monotonic())
            planned = _again(planned, office)
            how = "in vain" if not in_time else "lead" if followed in planned.writing else "read"
            if not in_time:
                break
        self._lead(planned, led, (planned.model.id, stream))
        _pass_on(led, followed)
        if how and self._told is not None:
            self._told(how, monotonic() - came)
        return planned

    def leads(self, planned: Planned, office: Office) -> None:
        """A request goes out without waiting; those who need what it writes may wait for it."""
        if self._elsewhere is not None and planned.writing:
            self._elsewhere.claim(planned, office)
        self._lead(planned, office.led, (planned.model.id, False))

    def began(self, planned: Planned, office: Office) -> None:
        """The response began: what it wrote can be read, by everybody who waited for it."""
        led: dict[Digest, _Led] = office.led
        if not led and self._elsewhere is None:
            return
        written = {*planned.writing, *_written(planned.plan.chosen.outcome)}
        if self._elsewhere is not None:
            self._elsewhere.written(written, office)
        for prefix in written:
            found = led.pop(prefix, None)
            if found is None:
                continue
            if found.leader is planned.writing:
                self._beginnings.saw(found.kind, monotonic() - found.since)
            _wake_all(found)

    def dropped(self, planned: Planned, office: Office) -> None:
        """Nothing came of the request: the first who waits takes its place."""
        led: dict[Digest, _Led] = office.led
        if self._elsewhere is not None:
            self._elsewhere.dropped(planned.writing, office)
        for prefix in planned.writing:
            found = led.get(prefix)
            if found is not None and found.leader is planned.writing:
                found.leader = None
                _pass_on(led, prefix)

    def _claimed(self, planned: Planned, office: Office, led: dict[Digest, _Led]) -> Planned | None:
        """The plan made anew, where other workers write what it writes, or just did; None: it is ours."""
        if self._elsewhere is None or not planned.writing:
            return None
        found = self._elsewhere.claim(planned, office)
        if found is None:
            return None
        for prefix, since in found.items():
            there = led.setdefault(prefix, _Led())
            there.leader, there.kind, there.since = _ANOTHER, (planned.model.id, True), since
        return _again(msgspec.structs.replace(planned, writing=()), office)

    def _told_of(self, office: Office, prefix: Digest, written: bool) -> None:  # noqa: FBT001 - see `Elsewhere`
        """Another worker has written a prefix that was waited for here, or nobody writes it any more."""
        led: dict[Digest, _Led] = office.led
        found = led.get(prefix)
        if found is None or found.leader is not _ANOTHER:
            return
        found.leader = None
        if written:
            del led[prefix]
            _wake_all(found)
        else:
            _pass_on(led, prefix)

    def _follow(self, planned: Planned, led: dict[Digest, _Led], until: float | None) -> Follow | None:
        """What to wait for, where it is worth it; who has waited before does so in the time that is left."""
        found = following(planned, led)
        if found is None:
            return None
        leader, now = led[found.prefix], monotonic()
        within = self._patience(found) if until is None else until - now
        saves, second = float(found.saves), float(self._settings.second)
        age = now - leader.since
        worth = self._beginnings.worth(leader.kind, age=age, within=within, saves=saves, second=second)
        return found if worth and within > 0.0 else None

    def _patience(self, follow: Follow) -> float:
        second = self._settings.second
        worth = follow.saves / second if second else self._settings.timeout
        return min(self._settings.timeout, worth)

    async def _wait(self, led: dict[Digest, _Led], prefix: Digest, seconds: float) -> bool:
        """Wait for the leader to begin, or to leave its place; False when it took too long."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = led[prefix].waiting
        waiting.append(place)
        self.following += 1
        try:
            async with asyncio.timeout(seconds):
                await place
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            _pass_on(led, prefix)
            raise
        finally:
            self.following -= 1
            if place in waiting:
                waiting.remove(place)
        return True

    def _lead(self, planned: Planned, led: dict[Digest, _Led], kind: Hashable) -> None:
        """Whoever is the first to write a prefix is waited for."""
        now = monotonic()
        for prefix in planned.writing:
            found = led.get(prefix)
            if found is None:
                found = led[prefix] = _Led()
            found.leader, found.kind, found.since = planned.writing, kind, now
        if len(led) > _PRUNE_AT:
            for prefix in [one for one, is_led in led.items() if now - is_led.since > _FORGOTTEN_AFTER]:
                _wake_all(led.pop(prefix))


class GatedDesk(CallDesk):
    """A desk whose plans wait for prefixes that others write; `plan` is for `drive.adrive`.

    `waited` is for how many seconds.
    """

    def __init__(self, office: Office, gating: Gating, *, stream: bool, run: Run | None = None) -> None:
        CallDesk.__init__(self, office, run)
        self._gating = gating
        self._stream = stream
        self.waited = 0.0

    async def plan(self, command: Plan) -> Any:
        """Plan the request, and again where it waited."""
        planned = self.answer(command)
        if not isinstance(planned, Planned):
            return planned
        if command.again:  # while it paused, another may have begun to write what its first attempt did not
            planned = _again(planned, self._office)
        if not (planned.writing or self._office.led):  # nobody to wait for, nor anybody who would
            return planned
        began = monotonic()
        planned = await self._gating.gathered(planned, self._office, stream=self._stream)
        self.waited = monotonic() - began
        return planned

    def _began(self, command: Began) -> None:
        """As any desk; those who wait are told, whatever fails here."""
        try:
            self._office.began(command)
        finally:
            self._gating.began(command.planned, self._office)

    def _dropped(self, command: Dropped) -> None:
        """As any desk; those who wait are told, whatever fails here."""
        try:
            self._office.dropped(command)
        finally:
            self._gating.dropped(command.planned, self._office)

    ways: ClassVar[Mapping[type, Callable[[Any, Any], Any]]] = {
        **CallDesk.ways,
        Began: _began,
        Dropped: _dropped,
    }


def _wake_all(led: _Led) -> None:
    """One at a time, with a look at the network in between: each of them plans, and streams have to go on."""
    if led.wake_one():
        asyncio.get_running_loop().call_soon(_wake_all, led)


def _again(planned: Planned, office: Office) -> Planned:
    try:
        return office.replan(planned)
    except PlanError:
        return planned.untouched()


def _pass_on(led: dict[Digest, _Led], prefix: Digest | None) -> None:
    """A prefix that nobody leads goes to the first who waits for it; without any it is forgotten."""
    if prefix is None:
        return
    found = led.get(prefix)
    if found is not None and found.leader is None and not found.wake_one():
        del led[prefix]


def _written(outcome: Outcome) -> tuple[Digest, ...]:
    return tuple(write.prefix for write in outcome.writes)
