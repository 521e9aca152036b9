"""The ASGI application: who asks for what, and where every request of a client ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Any
from urllib.parse import unquote

from scrimp.asgi.shapes import Headers, Receive, Scope, Send
from scrimp.core.record import Tags
from scrimp.errors import BudgetUnavailable
from scrimp.gateway.batches import Results, held_for, results_of
from scrimp.gateway.bodies import read_object
from scrimp.gateway.callers import Caller, Callers
from scrimp.gateway.failing import failure_of
from scrimp.gateway.fetching import FetchingCall
from scrimp.gateway.foreign import Foreign
from scrimp.gateway.gate import Gate
from scrimp.gateway.house import PAGES, House
from scrimp.gateway.inbound import Ended, Inbound
from scrimp.gateway.labels import inside, tags_of
from scrimp.gateway.messages import Asked, Call, Ways
from scrimp.gateway.offices import Offices
from scrimp.gateway.passing import passed_on
from scrimp.gateway.paths import BATCHES, MESSAGES, is_free, is_known, plain_path, route_of
from scrimp.gateway.refusals import RefusedError
from scrimp.gateway.settings import Settings
from scrimp.gateway.tracing import in_trace_of
from scrimp.gateway.unbilled import surely_refused
from scrimp.gateway.upstream import ConnectError
from scrimp.gateway.watch import Watch
from scrimp.office import Office
from scrimp.telemetry.failures import Failure
from scrimp.wire.bodies import Bodies

__all__ = ["App"]

_UNFORESEEN = "the request went out as it was, because the gateway failed"

_ENDED: Mapping[Ended, tuple[int, str]] = {
    "late body": (408, "scrimp: the body of the request took too long"),
    "no turn": (429, "scrimp: too many requests are under way in this gateway"),
    "no answer": (504, "scrimp: the upstream took too long to answer"),
    "draining": (529, "scrimp: this gateway is stopping"),
}


_LAST: Headers = [(b"retry-after", b"1"), (b"connection", b"close")]


class App:
    """Serves every request; nothing but the answer's own end reaches the server."""

    def __init__(
        self,
        settings: Settings,
        *,
        callers: Callers,
        offices: Offices,
        ways: Ways,
        watch: Watch,
        gate: Gate,
        house: House,
        failures: Sequence[Callable[[Failure], object]] = (),
    ) -> None:
        """`failures` are told of every answer with an error status."""
        self._settings = settings
        self._callers = callers
        self._offices = offices
        self._ways = ways
        self._watch = watch
        self._gate = gate
        self._house = house
        self._failures = failures
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request of any ASGI server."""
        if scope["type"] == "http":
            await self.serve(Foreign(scope, receive, send))

    async def serve(self, inbound: Inbound) -> None:
        """Serve one request."""
        self._watch.enter(inbound)
        came = monotonic()
        try:
            await self._route(inbound)
        except RefusedError as refused:
            await self._refuse(inbound, refused)
        except asyncio.CancelledError:
            if inbound.ended is None:
                raise
            await self._cut(inbound, inbound.ended)
        except Exception:  # noqa: BLE001 - whatever it is of ours: an error that clients can read, and no text of it
            await self._refuse(inbound, RefusedError.for_now(503, "scrimp: the gateway failed"))
        finally:
            self._watch.leave(inbound)
            route = MESSAGES if inbound.path == MESSAGES else _route(inbound.path)
            self._ways.metrics.answered(route, inbound.status)
            if inbound.status >= 400:
                failure = failure_of(inbound, route, at=self._ways.clock(), duration=monotonic() - came)
                for tell in self._failures:
                    tell(failure)
            inbound.refusal = None  # its traceback holds this frame: nothing is to go round in a circle

    def _route(self, inbound: Inbound) -> Awaitable[None]:
        if inbound.path != MESSAGES and not inbound.path.startswith("/v1/"):
            return self._house.answer(inbound)
        if self._house.draining:
            raise RefusedError(*_ENDED["draining"], headers=_LAST)
        return self._known(inbound)

    async def _known(self, inbound: Inbound) -> None:
        """What the upstream serves."""
        path = MESSAGES if inbound.path == MESSAGES else self._plain(inbound.path)
        if path == MESSAGES and inbound.method != "POST":
            raise RefusedError.for_good(405, "Method Not Allowed")
        caller = self._callers.of(inbound.headers)
        inbound.upstream, inbound.key = caller.upstream, caller.key.name if caller.key else None
        limits = self._settings.limits
        most = limits.batch_body if path != MESSAGES and path.startswith(BATCHES) else limits.body
        if inbound.more_body:
            await inbound.come(most, self._settings.timeouts.request)
        raw = inbound.read(most)
        if not self._gate.opens():
            await self._gate.wait(inbound)
        inbound.taken_at = monotonic()
        try:
            if path == MESSAGES:
                if self._ways.turns.busy:
                    await self._ways.turns.mine()
                await self._messages(inbound, caller, raw)
            else:
                await self._other(inbound, caller, raw, path)
        finally:
            self._gate.leave()

    def _plain(self, path: str) -> str:
        """A path as servers read it. Raises `RefusedError` for one that is not served."""
        if path.startswith("/v1/v1/"):
            raise RefusedError.for_good(404, "/v1/v1/…: the base URL of this gateway is without /v1")
        plain = plain_path(path)
        if plain is None or not (self._settings.serve.other_paths or is_known(plain)):
            raise RefusedError.for_good(404, "Not Found")
        return plain

    async def _other(self, inbound: Inbound, caller: Caller, raw: bytes, path: str) -> None:
        """What is passed on; batches are metered on the way."""
        batch = results_of(inbound.method, unquote(inbound.path).rstrip("/"))
        if batch is not None:
            results = Results(self._offices.of(caller), self._tags(inbound, {}, caller), batch)
            await asyncio.to_thread(results.look_up)
            if await passed_on(inbound, caller, raw, self._ways, results):
                results.complete()
        elif path == BATCHES and inbound.method == "POST":
            await self._create_batch(inbound, caller, raw)
        elif is_free(inbound.method, path) or not self._limited(self._offices.of(caller)):
            await passed_on(inbound, caller, raw, self._ways)
        else:
            raise RefusedError.for_good(403, "scrimp: budgets are set, and what this path costs is not known")

    async def _create_batch(self, inbound: Inbound, caller: Caller, raw: bytes) -> None:
        if self._ways.run is not None and self._ways.run.limited:
            raise RefusedError.for_good(403, "scrimp: a run with a budget cannot pay for a batch in advance")
        text = await inbound.unpacked(raw, self._settings.limits.batch_body)
        tags, office = self._tags(inbound, {}, caller), self._offices.of(caller)
        created = await held_for(text, tags, office, self._ways.ids.new())
        try:
            await passed_on(inbound, caller, raw, self._ways, created)
        except RefusedError as refused:
            if created is not None and isinstance(refused.__cause__, ConnectError):
                created.refused()
            raise
        if created is not None and inbound.status >= 400:
            created.refused()

    def _limited(self, office: Office) -> bool:
        """Whether a limit may hold for calls."""
        try:
            return office.budgets() is not None or (self._ways.run is not None and self._ways.run.limited)
        except BudgetUnavailable:
            return True

    def _tags(self, inbound: Inbound, body: Mapping[str, Any], caller: Caller) -> Tags:
        plain = inbound.headers.untagged and not body.get("metadata")
        tags = caller.tags if plain else tags_of(inbound.headers, body, caller.key)
        return tags if self._ways.run is None else inside(self._ways.run.tags, tags)

    async def _messages(self, inbound: Inbound, caller: Caller, raw: bytes) -> None:
        text = raw
        if b"content-encoding" in inbound.headers:
            text = await inbound.unpacked(raw, self._settings.limits.body)
        body, layout = read_object(text, self._bodies)
        tags = self._tags(inbound, body, caller)
        office = self._offices.of(caller)
        mistake = surely_refused(body)
        if mistake is not None and self._limited(office):
            raise RefusedError.for_good(400, mistake)
        asked = Asked(caller, raw, text, body, tags, layout)
        kind = Call if office.server is None else FetchingCall
        call = kind(inbound, asked, office, self._ways)
        try:
            if self._settings.telemetry.otel:
                with in_trace_of(inbound.headers):
                    await call.run()
            else:
                await call.run()
            if 0 < inbound.status < 400:
                self._offices.proved(caller, office)
        except RefusedError:
            raise
        except Exception as error:  # noqa: BLE001 - our own failure: the caller's request goes on without us
            office.fault(_UNFORESEEN, error)
            if call.sent or inbound.started:
                raise RefusedError(502, "scrimp: the answer was lost in the gateway") from None
            if self._limited(office):
                raise RefusedError.for_now(503, "scrimp: budgets cannot be checked") from None
            await passed_on(inbound, caller, raw, self._ways)

    async def _refuse(self, inbound: Inbound, refused: RefusedError) -> None:
        if inbound.ended == "left":
            return
        if inbound.started:
            inbound.hang_up()
        else:
            inbound.refusal = refused
            await inbound.refuse(refused)

    async def _cut(self, inbound: Inbound, why: Ended) -> None:
        """It was cut short: say so, where nothing else was said yet."""
        if why == "left":
            return
        if inbound.started or why not in _ENDED:
            inbound.hang_up()
        else:
            status, message = _ENDED[why]
            refused = RefusedError.for_now(status, message)
            refused.upstream = why == "no answer"
            await self._refuse(inbound, refused)


def _route(path: str) -> str:
    known = path.rstrip("/")
    return known if known in PAGES else route_of(known)
