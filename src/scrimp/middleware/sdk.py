"""The middleware for the official `anthropic` SDK: one class, sync and async.

The SDK runs middleware once per HTTP attempt, inside its retry loop. Calls of the Messages API are planned,
metered and recorded; everything else passes through as it is.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import anthropic

from scrimp.calls import is_sent_as_marked
from scrimp.core.commands import Answer, Attempt, Send
from scrimp.core.flow import flow
from scrimp.core.levers import Change, Lever, checked_levers
from scrimp.core.plan import Mode
from scrimp.core.task_type import with_task_type
from scrimp.drive import adrive, drive
from scrimp.errors import BudgetUnavailable, SdkError
from scrimp.facts.models import Facts, default
from scrimp.middleware.betas import betas_of
from scrimp.middleware.copying import with_body
from scrimp.middleware.fetching import Fetching
from scrimp.middleware.response import Tee
from scrimp.office import ORGANISATION_HEADER, CallDesk, Listener, Office, Remembering
from scrimp.runs import current_run, current_tags
from scrimp.stores.capture import Capture
from scrimp.stores.ledger import Ledger
from scrimp.wire.betas import BETAS_HEADER, joined_betas
from scrimp.wire.request import with_markers

try:
    from anthropic import Middleware as SdkMiddleware
except ImportError:
    raise SdkError(
        f"anthropic {anthropic.__version__} has no middleware: install anthropic>=0.108, "
        "or leave the SDK as it is and point its base_url at a proxy that does this work"
    ) from None

__all__ = ["Middleware"]

_MESSAGES = "/v1/messages"
_BATCHES = "/v1/messages/batches"
_PROVIDERS = (("bedrock", "bedrock"), ("aiplatform", "vertex"))
"""Part of a host's name → whose API it is; any other host is taken for the provider's own."""


class Middleware(SdkMiddleware):
    """Plans, meters and records every Messages call of a client.

        client = anthropic.Anthropic(middleware=[scrimp.Middleware()])

    `mode`: `observe` changes nothing, `safe` (default) adds only cache markers, which cannot change an
    answer. `ledger` is where calls are written down, by default the ledger in scrimp's home folder.
    `capture` also keeps whole exchanges, prompts included (never keys), there or in a `Capture` given. One
    instance may serve several clients of one API workspace, from any number of threads and tasks.

    `save` may also change what the model reads, each way only where it is asked for: `levers` are those ways,
    such as `scrimp.Relocate()`. One that changes what the model reads means
    `save` where no mode is given. Each remembers conversations, so give a middleware levers of its own.

    `learned` is where to keep what calls have taught (how soon prompts of each label come again, tokens per
    model; no prompt text), so that the next process starts with it: the file at a path, or True for scrimp's
    home folder, which is the default where the ledger is there too; False keeps nothing.

    `listeners` hear of every call: `scrimp.Alerts`, `scrimp.Telemetry`, or an `office.Listener` of your own.

    Limits set with `scrimp budget set`, and those of the runs around a call (`scrimp.run(budget=…)`), are
    hard: a call that could go beyond one raises `scrimp.BudgetExceeded` before anything is sent.
    """

    def __init__(
        self,
        *,
        mode: Mode | None = None,
        ledger: Ledger | None = None,
        capture: Capture | bool = False,
        facts: Facts | None = None,
        clock: Callable[[], float] = time.time,
        levers: Sequence[Lever] = (),
        learned: str | Path | bool | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        """Raises `InputError` for levers and modes that do not go together, or are none."""
        self._mode, levers = checked_levers(levers, mode)
        self._facts = facts or default()
        self._clock = clock
        place = ledger is None if learned is None else learned
        remembering = Remembering(self._facts, clock, place=place)
        self._office = Office(
            remembering,
            ledger,
            clock=clock,
            facts=self._facts,
            capture=capture,
            listeners=listeners,
            levers=levers,
        )
        self._fetching = Fetching.of(self._office)

    def gaps(self, request: Mapping[str, Any], label: str | None = None) -> Callable[[float], float]:
        """How soon requests like this one come again, as learned from the calls of `label` so far.

        `request` is what `messages.create` is called with; the answer gives the probability of a next use
        within so many seconds, which is what `scrimp.Warmer(gaps=…)` takes. Raises `RequestError`.
        """
        return self._office.gaps({"messages": [], **request}, label).by

    def handle(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """One attempt of a sync client."""
        served = None if self._fetching is None else self._fetching.begun(request)
        if served is not None:
            return served.run(lambda request: self._attempt(request, call_next, asked=served.asked))
        return self._attempt(request, call_next)

    async def handle_async(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """One attempt of an async client."""
        served = None if self._fetching is None else self._fetching.begun(request)
        if served is not None:
            return await served.run_async(
                lambda request: self._attempt_async(request, call_next, asked=served.asked)
            )
        return await self._attempt_async(request, call_next)

    def _attempt(self, request: Any, call_next: Callable[[Any], Any], *, asked: bool = True) -> Any:
        """One request, top to bottom; without `asked` one that the caller did not make."""
        call = self._call(request, call_next, asked=asked)
        if call is None:
            return call_next(request)

        def send(command: Send) -> Answer:
            started_at, planned = self._clock(), call.planned(command)
            if planned is None:
                return call.unsent(started_at)
            response = call_next(call.went_out(planned))
            if call.refused(planned, response) and command.change is None:
                response = call_next(call.went_out(request))
            return call.answered(response, started_at, command)

        drive(call.flow, call.desk, send)
        return call.response

    async def _attempt_async(
        self, request: Any, call_next: Callable[[Any], Any], *, asked: bool = True
    ) -> Any:
        """The same for an async client."""
        call = self._call(request, call_next, asked=asked)
        if call is None:
            return await call_next(request)

        async def send(command: Send) -> Answer:
            started_at, planned = self._clock(), call.planned(command)
            if planned is None:
                return call.unsent(started_at)
            response = await call_next(call.went_out(planned))
            if call.refused(planned, response) and command.change is None:
                response = await call_next(call.went_out(request))
            return call.answered(response, started_at, command)

        await adrive(call.flow, call.desk, send)
        return call.response

    def _limited(self) -> bool:
        run = current_run()
        return (run is not None and run.limited) or self._office.budgets() is not None

    def _call(self, request: Any, call_next: Callable[[Any], Any], *, asked: bool) -> _Call | None:
        """The call this attempt belongs to, or None for what is not a Messages call."""
        body = request.json
        if request.method.lower() != "post" or not isinstance(body, Mapping):
            return None
        path = urlsplit(request.url).path.rstrip("/")
        if path == _BATCHES and self._limited():
            raise BudgetUnavailable(
                "a batch is billed when it is done, which the middleware does not see: while a limit holds, "
                "send it through the gateway (`scrimp serve`), which holds its cost until then"
            )
        if path != _MESSAGES:
            return None
        mode: Mode = "observe" if is_sent_as_marked() else self._mode
        reshapes = bool(self._office.levers) and mode != "observe" and body.get("thread") is None
        betas = betas_of(request, call_next) if reshapes else None
        run, tags = current_run(), current_tags()
        key = getattr(request.options, "idempotency_key", None)
        attempt = Attempt(
            id=uuid.uuid4().hex,
            call_id=key if isinstance(key, str) else uuid.uuid4().hex,
            number=request.retries_taken,
            body=cast("Mapping[str, Any]", body),
            mode=mode,
            tags=with_task_type(tags, body),
            stream=bool(body.get("stream")),
            max_context=run.max_context if run else None,
            betas=None if betas is None else frozenset(betas),
            reshapes=reshapes,
            asked=asked,
        )
        return _Call(request, attempt, self._office, betas or ())


class _Call:
    """One attempt under way."""

    def __init__(self, request: Any, attempt: Attempt, office: Office, betas: Sequence[str]) -> None:
        self._request = request
        self._office = office
        self._betas = betas
        self._fault: str | None = None
        self.desk = CallDesk(office, current_run())
        self.flow = flow(attempt, office.facts, office.clock)
        self.response: Any = None

    def planned(self, command: Send) -> Any:
        """The request as planned; the very request when nothing is to be done, or it cannot be done.

        None where it is what levers made of the request that cannot be sent.
        """
        self._fault = None
        ask, change = command.previous if self._office.diagnoses else None, command.change
        if not command.edits and ask is None and change is None:
            return self._request
        try:
            body = with_markers(self._request.json if change is None else change.body, command.edits)
            if ask is not None:
                body = {**body, "diagnostics": {"previous_message_id": ask}}
            return with_body(self._request, body, self._headers(change))
        except Exception as error:  # noqa: BLE001 - our failure: the untouched request goes out
            self._fault = self._office.fault("the planned request could not be made", error).reason
            return self._request if change is None else None

    def unsent(self, at: float) -> Answer:
        """Nothing went out: what levers made of the request cannot be sent."""
        return Answer(400, at, at, "anthropic", fault=self._fault, refused=True)

    def _headers(self, change: Change | None) -> dict[str, str]:
        """The headers that a change needs."""
        if change is None or not change.betas:
            return {}
        return {BETAS_HEADER: joined_betas(self._betas, change.betas)}

    def went_out(self, request: Any) -> Any:
        """Remember what is sent, where it is captured."""
        self.desk.sent = request.json
        return request

    def refused(self, sent: Any, response: Any) -> bool:
        """Whether the API refused the planned request: the caller's own then goes out, a refusal is free."""
        if sent is self._request or response.status_code != 400:
            return False
        self._office.diagnoses = False
        reason = "the API refused the planned request, so the untouched one was sent"
        self._fault = self._office.tell(reason).reason
        return True

    def answered(self, response: Any, started_at: float, command: Send) -> Answer:
        """The response began: read along, and say what is known of it."""
        refused = command.change is not None and self._fault is not None
        if not refused and (self.response is None or response.status_code < 400):
            self.response = response
        raw = response.http_response
        if response.status_code < 400:
            if ORGANISATION_HEADER in raw.headers:
                self._office.met()
            tee = Tee(raw, self._office.clock, rebuild=self.desk.rebuilds())
            self.desk.reading = tee
            tee.begin()
        host = raw.request.url.host
        return Answer(
            status=response.status_code,
            started_at=started_at,
            first_event_at=self._office.clock(),
            provider=next((name for part, name in _PROVIDERS if part in host), "anthropic"),
            request_id=raw.headers.get("request-id"),
            fault=self._fault,
            refused=refused,
        )
