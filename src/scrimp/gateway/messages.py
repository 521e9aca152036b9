"""A Messages call through the gateway: planned, paid for in advance, sent, relayed, metered, written down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple

import msgspec
import orjson

from scrimp.asgi.shapes import Headers
from scrimp.core.commands import Answer, Attempt, Send
from scrimp.core.flow import flow
from scrimp.core.record import Tags
from scrimp.core.task_type import with_task_type
from scrimp.drive import adrive
from scrimp.errors import BudgetExceeded, BudgetUnavailable, ContextExceeded, LoopStopped
from scrimp.gateway.beyond import is_beyond_any_window
from scrimp.gateway.callers import Caller
from scrimp.gateway.gating import GatedDesk, Gating
from scrimp.gateway.headers import upwards
from scrimp.gateway.ids import Ids
from scrimp.gateway.inbound import Inbound
from scrimp.gateway.metrics import GatewayMetrics
from scrimp.gateway.refusals import RefusedError
from scrimp.gateway.relay import Relay, unpacker
from scrimp.gateway.retries import CLIENT_RETRIES, is_worth_retrying, pause_before
from scrimp.gateway.turns import Turns
from scrimp.gateway.upstream import UpstreamAnswer, UpstreamError, Way, lines_of
from scrimp.gateway.whole import read_whole
from scrimp.office import ORGANISATION_HEADER, CallDesk, Office, Reading
from scrimp.runs import Run
from scrimp.wire.betas import BETAS_HEADER, joined_betas
from scrimp.wire.dumps import dumps
from scrimp.wire.request import with_markers
from scrimp.wire.splice import Layout, splice_markers, spliced_parts

__all__ = ["Asked", "Call", "Ways"]

_LARGE = 256 * 1024
"""Bytes of a request from which levers take so long that other calls would wait for them."""

_IDEMPOTENCY_KEY = b"idempotency-key"
_BETAS = BETAS_HEADER.encode()
_ORGANISATION = ORGANISATION_HEADER.encode()
_MOST_DIGITS = 3
_REFUSED = "the API refused the planned request, so the untouched one was sent"


class Ways(msgspec.Struct, frozen=True):
    """What every call needs: the way out, the way back, and who counts; how often and how long to try.

    `gating` lets calls wait for what others write; None: nobody waits. `run` is around every call.
    `max_context` is the most tokens of input that a call may have.
    """

    way: Way
    relay: Relay
    ids: Ids
    clock: Callable[[], float]
    metrics: GatewayMetrics
    retries: int
    answer_seconds: float
    gating: Gating | None = None
    run: Run | None = None
    max_context: int | None = None
    turns: Turns = msgspec.field(default_factory=Turns)


class Asked(msgspec.Struct, frozen=True):
    """What a client asks for: the bytes as they came (`raw`), unpacked (`text`), and what they say.

    `layout` is where the messages lie in `text`, where that is known.
    """

    caller: Caller
    raw: bytes
    text: bytes
    body: dict[str, Any]
    tags: Tags
    layout: Layout | None = None


class _Planned(NamedTuple):
    """A request as it was planned, in parts one behind the other, so that a long one is not copied.

    `betas` is all it asks for in `anthropic-beta` (None: what the caller does).
    """

    body: Sequence[bytes | memoryview]
    betas: str | None = None


class Call:
    """One logical call, of one attempt or several."""

    def __init__(self, inbound: Inbound, asked: Asked, office: Office, ways: Ways) -> None:
        self._inbound = inbound
        self._asked = asked
        self._office = office
        self._ways = ways
        caller = asked.caller
        self._tags = with_task_type(
            asked.tags, asked.body, caller.typed if asked.tags is caller.tags else None
        )
        self._fault: str | None = None
        self._response: UpstreamAnswer | None = None
        self._desk: CallDesk  # of the attempt under way
        self._url = f"{asked.caller.base_url}{inbound.path}"
        if inbound.query:
            self._url += f"?{inbound.query.decode('latin-1')}"
        self.sent = False
        self.call_id: str | None = None
        self._own = True
        self._large = len(asked.text) > _LARGE
        self._betas = inbound.headers.betas
        self._reshapes = bool(office.levers) and asked.caller.mode != "observe"
        if self._reshapes and asked.body.get("thread") is not None:
            self._refuse_thread()
        # A ceiling on its context needs to know how long a request is, however long that is.
        self._plans = ways.max_context is not None or not is_beyond_any_window(
            asked.text, asked.body, office.facts
        )

    async def run(self) -> None:
        """Answer the client. Raises `RefusedError`, and what cancels the call."""
        await self.pass_on(await self.answer())

    def pass_on(self, response: UpstreamAnswer) -> Awaitable[object]:
        """The client gets this answer, which is metered on its way."""
        reading = self._desk.reading
        meter = None if reading is None or reading.finished else reading
        if reading is not None and reading.streams:
            self._desk.turn = self._ways.turns.rest
        return self._ways.relay.run(self._inbound, response, meter, soon=True)

    @property
    def reading(self) -> Reading | None:
        """The metering of the answer, where it is one that is billed."""
        return self._desk.reading

    def metered(self, content: bytes = b"") -> None:
        """The answer is over, and this of it has not been metered yet."""
        if self.reading is not None and not self.reading.finished:
            self.reading.saw(content)
            self.reading.end()

    def follow(self, call: Call, *, own: bool) -> None:
        """It is part of what answers that call; not `own`: its client asked for none of it."""
        self.sent, self.call_id, self._own = True, call.call_id, own

    async def answer(self) -> UpstreamAnswer:
        """The answer that the client is to get, whose body has not been read. Raises as `run` does."""
        said = self._inbound.headers.get(CLIENT_RETRIES)
        before = int(said) if said is not None and said.isdigit() and len(said) <= _MOST_DIGITS else 0
        retries = self._ways.retries if said is None else 0
        if self.call_id is None:
            key = self._inbound.headers.get(_IDEMPOTENCY_KEY)
            self.call_id = key.decode("latin-1") if key else self._ways.ids.new() + "c"
        for left in range(retries, -1, -1):
            attempt = self._new_attempt(self.call_id, before + retries - left)
            try:
                await self._carried_out(attempt)
            except (BudgetExceeded, ContextExceeded, LoopStopped, BudgetUnavailable) as error:
                raise _refusal(error) from None
            except UpstreamError as error:
                pause = self._after_failure(error, left)
            else:
                pause = self._after_answer(self._answer(), left)
            if pause is None:
                break
            await asyncio.sleep(pause)
        return self._answer()

    def _new_attempt(self, call_id: str, number: int) -> Attempt:
        asked = self._asked
        return Attempt(  # by position: see CONTRIBUTING.md
            self._ways.ids.new(),
            call_id,
            number,
            asked.body,
            asked.caller.mode,
            self._tags,
            asked.body.get("stream") is True,
            self._ways.max_context,
            self._plans,
            frozenset(self._betas),
            self._reshapes,
            asked=self._own,
        )

    def _refuse_thread(self) -> None:
        """The API holds most of such a request, and would answer what levers never saw."""
        if self._asked.caller.mode == "save" and any(one.mode == "save" for one in self._office.levers):
            raise RefusedError.for_good(400, _NO_THREADS, details=_NO_THREADS_DETAILS)
        self._reshapes = False

    def _carried_out(self, attempt: Attempt) -> Awaitable[None]:
        """One attempt, from its plan to the beginning of its answer."""
        self._response, self._fault = None, None
        self._inbound.within(monotonic() + self._ways.answer_seconds, "no answer")
        call = flow(attempt, self._office.facts, self._ways.clock)
        gating, turns = self._ways.gating, self._ways.turns
        turn = turns.mine if turns.busy else None
        if gating is None or attempt.mode == "observe":
            self._desk = CallDesk(self._office, self._ways.run)
            self._desk.large = self._large
            return adrive(call, self._desk, self._send, turn=turn)
        self._desk = desk = GatedDesk(self._office, gating, stream=attempt.stream, run=self._ways.run)
        desk.large = self._large
        return adrive(call, desk, self._send, desk.plan, turn)

    def _after_failure(self, error: UpstreamError, left: int) -> float | None:
        """The seconds until the next attempt. Raises `RefusedError` where none is left."""
        self._ways.metrics.upstream_failed(error.kind)
        if left > 0:
            self._ways.metrics.retried(error.kind)
            return self._pause(self._ways.retries - left + 1, {})
        said = f"scrimp: upstream {self._asked.caller.upstream!r}: {error}"
        raise RefusedError(502, said, upstream=True) from None

    def _after_answer(self, response: UpstreamAnswer, left: int) -> float | None:
        """The seconds until the next attempt; None: the answer is the client's."""
        if response.status < 400:  # it is billed, whatever its headers say
            return None
        self._ways.metrics.upstream_failed(str(response.status))
        if left > 0 and is_worth_retrying(response.status, response.headers):
            pause = self._pause(self._ways.retries - left + 1, response.headers)
            if pause is not None:
                self._ways.metrics.retried(str(response.status))
                response.close()
                return pause
        return None

    def _answer(self) -> UpstreamAnswer:
        if self._response is None:
            raise RefusedError(502, "scrimp: the upstream gave no answer")
        return self._response

    def _pause(self, again: int, headers: Mapping[str, str]) -> float | None:
        chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
        return pause_before(again, headers, now=self._ways.clock(), chance=chance)

    async def _send(self, command: Send) -> Answer:
        """Send the planned request; where the API does not take it, the caller's own, since that is free."""
        started_at, planned = self._ways.clock(), self._planned(command)
        if command.change is not None and planned is None:
            return Answer(400, started_at, started_at, "anthropic", fault=self._fault, refused=True)
        if not self.sent:
            waited = self._desk.waited if isinstance(self._desk, GatedDesk) else 0.0
            self._ways.metrics.added(monotonic() - self._inbound.taken_at - waited)
        self.sent = True
        lines, body = self._outgoing(planned)
        response = await self._ways.way.send("POST", self._url, lines, *body)
        if planned is not None and response.status == 400:
            self._office.diagnoses = False
            self._fault = self._office.tell(_REFUSED).reason
            response.close()
            if command.change is not None:
                return Answer(400, started_at, started_at, "anthropic", fault=self._fault, refused=True)
            lines, body = self._outgoing(None)
            response = await self._ways.way.send("POST", self._url, lines, *body)
        answer = self._answered(response, started_at)
        follows = self._reshapes and response.status < 400 and self._desk.follows()
        if follows and self._asked.body.get("stream") is not True:
            self._response = await self._gathered(response)
        return answer

    async def _gathered(self, response: UpstreamAnswer) -> UpstreamAnswer:
        """All of an answer, metered before the client sees it: something else may be asked in its place."""
        whole = await read_whole(response)
        if self.reading is not None:
            saw = unpacker(response.header(b"content-encoding") or "", self.reading.saw)
            if saw is not None:
                saw(whole.content)
            self.reading.end()
        return whole

    def _outgoing(self, planned: _Planned | None) -> tuple[bytes, Sequence[bytes | memoryview]]:
        """Headers as they go out, and the parts of the body. Raises `UpstreamError`."""
        asked, fields = self._asked, self._inbound.headers
        packed = asked.raw is not asked.text
        if planned is None or not (packed or planned.betas):
            lines = fields.onwards(asked.caller.credential, plain=True)
            return lines, (asked.raw,) if planned is None else planned.body
        headers = upwards(fields.raw, asked.caller.credential, plain=True)
        if packed:
            headers = _without(headers, b"content-encoding")
        if planned.betas is not None:
            headers = [*_without(headers, _BETAS), (_BETAS, planned.betas.encode())]
        return lines_of(headers), planned.body

    def _planned(self, command: Send) -> _Planned | None:
        """The planned request; None where it is the caller's own, or cannot be made."""
        self._fault = None
        ask, change = command.previous if self._office.diagnoses else None, command.change
        body = self._asked.body if change is None else change.body
        if self._office.captures:
            self._desk.sent = self._asked.body
        if not command.edits and ask is None and change is None:
            return None
        try:
            # What levers have changed is encoded anew; what is only marked keeps every byte it came with.
            if change is None:
                planned = spliced_parts(self._asked.text, command.edits, self._asked.layout)
            else:
                planned = [splice_markers(dumps(body), command.edits)]
            if self._office.captures:
                self._desk.sent = with_markers(body, command.edits)
        except Exception as error:  # noqa: BLE001 - our failure: the untouched request goes out
            self._fault = self._office.fault("the planned request could not be made", error).reason
            return None
        betas = joined_betas(self._betas, change.betas) if change and change.betas else None
        return _Planned(planned if ask is None else _asking(planned, ask), betas)

    def _answered(self, response: UpstreamAnswer, started_at: float) -> Answer:
        """The response began: read along, and say what is known of it."""
        if self._response is None or response.status < 400:
            self._response = response
        else:
            response.close()  # the answer that was there before is the client's
        status, named = response.status, response.named
        if status < 400:
            if _ORGANISATION in named:
                self._office.met()
            streams = named.get(b"content-type", b"").find(b"text/event-stream") >= 0
            self._desk.reading = Reading(self._ways.clock, streams=streams, rebuild=self._desk.rebuilds())
        named_by = named.get(b"request-id")
        request_id = None if named_by is None else named_by.decode("utf-8", "surrogateescape")
        return Answer(status, started_at, self._ways.clock(), "anthropic", request_id, self._fault)


_NO_THREADS = "scrimp: histories may be changed here, which threads do not show; send the whole request"
_NO_THREADS_DETAILS = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def _refusal(error: Exception) -> RefusedError:
    """Why nothing went out, as clients read it."""
    if isinstance(error, BudgetExceeded):
        return RefusedError.for_good(402, str(error))
    if isinstance(error, ContextExceeded):
        # Clients that compact when the API says so know it by how this begins.
        said = f"prompt is too long: {error.tokens} tokens > {error.limit} maximum (scrimp: {error})"
        return RefusedError.for_good(400, said)
    if isinstance(error, LoopStopped):
        return RefusedError.for_good(400, f"scrimp: {error}")
    return RefusedError.for_now(503, f"scrimp: {error}")


def _without(headers: Headers, left_out: bytes) -> Headers:
    return [(name, value) for name, value in headers if name != left_out]


def _asking(body: list[bytes | memoryview], previous: str) -> list[bytes | memoryview]:
    """`body` with the question why the cache was missed ("Cache diagnostics") as its last member."""
    asking = orjson.dumps({"diagnostics": {"previous_message_id": previous}})
    last = memoryview(body[-1])
    return [*body[:-1], last[: bytes(last).rindex(b"}")], b",", asking[1:]]
