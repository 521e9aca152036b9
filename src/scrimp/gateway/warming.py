"""`[[warm]]`: prefixes that the gateway writes before they are needed, and keeps as long as that pays.

Calls write a prefix themselves when they come; it is kept alive from then on, by a read before it expires,
while that is expected to cost less than writing it anew (`core.keepalive`). When its time begins, and when
the gateway starts within it, it is written ahead only where a call is almost sure to come while it lives:
the first call is then as quick as the others, for about the price of one read.

Requests that warm are calls like any other: held in budgets, written in the ledger as task type `warm-up`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.commands import Answer, Attempt, Plan, Send
from scrimp.core.flow import flow
from scrimp.core.keepalive import Entry, GapOdds, advise, evenly, worth_ahead
from scrimp.core.record import Tags
from scrimp.core.workspace import Planned
from scrimp.drive import adrive
from scrimp.errors import ScrimpError, StoreError
from scrimp.facts.models import Facts
from scrimp.gateway.gating import GatedDesk, Gating
from scrimp.gateway.ids import Ids
from scrimp.gateway.lasting import lasting
from scrimp.gateway.offices import Offices
from scrimp.gateway.upstream import BrokenOffError, UpstreamAnswer, UpstreamError, Way, lines_of
from scrimp.gateway.warm_requests import Warm
from scrimp.gateway.warm_times import opened_at
from scrimp.office import Office, Reading
from scrimp.stores.leases import Leases

__all__ = ["Means", "Warmer", "keep_warm"]

TASK_TYPE = "warm-up"

_TICK = 5.0
_LEAD = 30.0
"""Seconds before the end of an entry's life at which it is read again."""

_ANSWER_SECONDS = 120.0
"""Nothing is generated, so that this is long."""

_REST = 60.0
_LONGEST_REST = 3600.0
_SURELY_WRONG = math.log(100)
"""Uses missed: at the rate that was said, one stretch in a hundred is this long. So it is not that rate."""


class Means(msgspec.Struct, frozen=True):
    """What warming goes by. Without `leases` no other process is asked whether it does the same."""

    offices: Offices
    gating: Gating
    way: Way
    ids: Ids
    facts: Facts
    clock: Callable[[], float]
    leases: Leases | None = None


async def keep_warm(warms: list[Warm], means: Means) -> None:
    """Keep every prefix warm until cancelled."""
    await asyncio.gather(*(lasting("warming a prefix", Warmer(warm, means).keep) for warm in warms))


class Warmer:
    """One prefix."""

    def __init__(self, warm: Warm, means: Means) -> None:
        self._warm = warm
        self._means = means
        self._holder = means.ids.new()
        said = f"{warm.caller.base_url}\0{warm.caller.account}\0".encode()
        self._key = blake2b(said + warm.found.prefix, digest_size=16).digest()
        self._opening: float | None = None
        self._own_at = self._used_at = 0.0
        self._rests_until, self._rest = 0.0, _REST
        self._aloud = not warm.found.is_silent

    async def keep(self) -> None:
        """Do what is due, until cancelled."""
        while True:
            await self.tick()
            await asyncio.sleep(_TICK)

    async def tick(self) -> bool:
        """Do what is due; whether a request was sent."""
        now = self._means.clock()
        opening = opened_at(self._warm.settings, now)
        if opening is None or now < self._rests_until:
            return False
        office = self._means.offices.of(self._warm.caller)
        begins, self._opening = opening != self._opening, opening
        if not self._is_due(office, now, begins=begins) or not await self._claimed(now):
            return False
        try:
            return await self._send(office)
        except (ScrimpError, UpstreamError, OSError) as error:
            self._failed(office, now, type(error).__name__)
            return False
        finally:
            await self._released()

    def _is_due(self, office: Office, now: float, *, begins: bool) -> bool:
        warm = self._warm
        odds = self._odds(office)
        alive = office.entry(warm.found.prefix)
        if alive is None:
            self._used_at = now
            return begins and worth_ahead(self._entry(float(TTL_SECONDS[warm.found.ttl])), odds)
        if alive.used_at > self._own_at:
            self._used_at = alive.used_at
        lifetime = float(TTL_SECONDS[alive.ttl])
        expires_in, away = alive.used_at + lifetime - now, now - self._used_at
        if expires_in > _LEAD or away * warm.settings.calls_per_hour / 3600.0 > _SURELY_WRONG:
            return False
        return advise(self._entry(lifetime), odds, away=away, expires_in=expires_in).pays

    def _entry(self, lifetime: float) -> Entry:
        found, rates = self._warm.found, self._warm.rates
        write = rates.write_1h if found.ttl == "1h" else rates.write_5m
        return Entry(
            ping=found.tokens * rates.read,
            saving=found.tokens * (write - rates.read),
            lifetime=lifetime,
            lead=_LEAD,
        )

    def _odds(self, office: Office) -> GapOdds:
        said = self._warm.settings.calls_per_hour
        return evenly(said) if said else office.gaps(self._warm.found.body, None).by

    async def _send(self, office: Office) -> bool:
        """Send the request, once more with one token of answer where the API does not take one of none."""
        status = await self._attempt(office)
        if status == 400 and not self._aloud:
            self._aloud = True
            status = await self._attempt(office)
        if status >= 400:
            self._failed(office, self._means.clock(), f"status {status}")
            return True
        self._rest = _REST
        alive = office.entry(self._warm.found.prefix)
        if alive is not None:
            self._own_at = alive.used_at
            await self._told(alive.used_at + TTL_SECONDS[alive.ttl])
        return True

    async def _attempt(self, office: Office) -> int:
        """One attempt; its status."""
        means, warm = self._means, self._warm
        body = warm.found.aloud if self._aloud else warm.found.body
        number = means.ids.new()
        attempt = Attempt(
            id=number,
            call_id=number,
            number=0,
            body=body,
            mode="observe",
            tags=Tags(run=(TASK_TYPE, warm.settings.name), task_type=TASK_TYPE),
            stream=False,
        )
        desk = _Desk(office, means.gating)
        sending = _Sending(warm, means, desk, orjson.dumps(body))
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await adrive(flow(attempt, means.facts, means.clock), desk, sending.send, desk.plan)
                return await sending.read()
        finally:
            sending.close()

    async def _claimed(self, now: float) -> bool:
        """Whether this process is the one to do it; others that do it now, or just did, keep it warm."""
        leases = self._means.leases
        if leases is None:
            return True
        try:
            claim = await asyncio.to_thread(
                leases.claim, self._key, self._holder, now=now, warm_beyond=now + _LEAD
            )
        except StoreError:
            return True
        return claim.taken

    async def _told(self, until: float) -> None:
        """Other processes need not do it."""
        if self._means.leases is not None:
            with suppress(StoreError):
                await asyncio.to_thread(self._means.leases.warmed, self._key, self._holder, until)

    async def _released(self) -> None:
        if self._means.leases is not None:
            with suppress(StoreError):
                await asyncio.to_thread(self._means.leases.release, self._key, self._holder)

    def _failed(self, office: Office, now: float, what: str) -> None:
        """Rest, longer each time."""
        self._rests_until = now + self._rest
        self._rest = min(_LONGEST_REST, 2.0 * self._rest)
        office.tell(f"the prefix {self._warm.settings.name!r} could not be warmed ({what})")


class _Desk(GatedDesk):
    """Sends what it was given: no other markers, no waiting, and nothing is learned about when calls come."""

    def __init__(self, office: Office, gating: Gating) -> None:
        super().__init__(office, gating, stream=False)

    async def plan(self, command: Plan) -> Any:
        planned = self.answer(Plan(command.body, again=True, label=command.label))
        if not isinstance(planned, Planned):
            return planned
        planned = self._office.replan(planned, own=True)
        self._gating.leads(planned, self._office)
        return planned


class _Sending:
    """The way out and back of one request."""

    def __init__(self, warm: Warm, means: Means, desk: _Desk, body: bytes) -> None:
        self._warm = warm
        self._means = means
        self._desk = desk
        self._body = body
        self._response: UpstreamAnswer | None = None

    async def send(self, command: Send) -> Answer:
        """Send the request as it is; plans for it have no edits."""
        if command.edits:
            raise ScrimpError("a request that warms is sent as it is")
        clock, caller = self._means.clock, self._warm.caller
        started_at = clock()
        url = f"{caller.base_url}/v1/messages"
        response = await self._means.way.send("POST", url, lines_of(self._warm.headers), self._body)
        self._response = response
        if response.status < 400:
            self._desk.reading = Reading(clock, streams=False)
        return Answer(
            status=response.status,
            started_at=started_at,
            first_event_at=clock(),
            provider="anthropic",
            request_id=response.header(b"request-id"),
        )

    async def read(self) -> int:
        """Read the answer to its end, which is when it is metered; its status."""
        response, reading = self._response, self._desk.reading
        if response is None:
            raise UpstreamError("there was no answer")
        if reading is not None:
            with suppress(BrokenOffError):
                reading.saw(await response.read())
        return response.status

    def close(self) -> None:
        """However it ended, it is written down."""
        if self._desk.reading is not None:
            self._desk.reading.end()
        if self._response is not None:
            self._response.close()
