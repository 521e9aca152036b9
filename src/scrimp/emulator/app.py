"""The ASGI application: routes, keys, bodies in; answers, streams, errors and faults out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from scrimp.emulator.asked import VERSIONS
from scrimp.emulator.bodies import MOST_BYTES, read_object, unpacked
from scrimp.emulator.books import Inbox, Received
from scrimp.emulator.catalogue import model_json, models_page
from scrimp.emulator.clock import Clock
from scrimp.emulator.encode import encode
from scrimp.emulator.faults import Effects, Faults
from scrimp.emulator.ids import Ids, workspace_of
from scrimp.emulator.line import Headers, Line, Receive, Scope, Send
from scrimp.emulator.provider import Provider, Serving, day_at
from scrimp.emulator.refusals import Refusal, error_object, invalid, not_found, refusal_body
from scrimp.emulator.sse import Piece, error_event, pieces

__all__ = ["NOW_HEADER", "Api"]

NOW_HEADER = "x-scrimp-now"
"""Epoch seconds at which a request is to have started; read only where the emulator was told to."""

_ORGANIZATION = b"00000000-0000-4000-8000-000000000001"
_SECRET_HEADERS = frozenset({"x-api-key", "authorization", "cookie"})
_JSON = (b"content-type", b"application/json")
_EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_PIECES_A_WRITE = 16


class _Call:
    """One authenticated request: whose it is, its id, and its own clock."""

    def __init__(self, line: Line, workspace: str, request_id: str, clock: Clock, ahead: float) -> None:
        self.line = line
        self.workspace = workspace
        self.request_id = request_id
        self._clock = clock
        self._ahead = ahead

    def now(self) -> float:
        """The time, as this request sees it."""
        return self._clock.now() + self._ahead


class Api:
    """The Messages API over HTTP."""

    def __init__(
        self, provider: Provider, ids: Ids, clock: Clock, *, keys: Collection[str] | None, now_header: bool
    ) -> None:
        """`keys` are the API keys that are accepted (None: any); `now_header` reads `x-scrimp-now`."""
        self.faults = Faults()
        self.received = Inbox()
        self._provider = provider
        self._ids = ids
        self._clock = clock
        self._keys = keys
        self._now_header = now_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(Line(scope, receive, send))

    async def _serve(self, line: Line) -> None:
        request_id = self._ids.new("req")
        try:
            raw = unpacked(await line.read(MOST_BYTES), line.headers.get("content-encoding", "").lower())
            key = _key(line.headers)
            call = _Call(line, workspace_of(key or ""), request_id, self._clock, self._ahead(line.headers))
            self._remember(call, raw if isinstance(raw, bytes) else b"")
            refusal = self._not_let_in(line.headers, key)
            if refusal is not None:
                await self._refuse(call, refusal)
            elif isinstance(raw, Refusal):
                await self._refuse(call, raw)
            else:
                await self._route(call, raw)
        finally:
            line.leave()

    async def _route(self, call: _Call, raw: bytes) -> None:
        method, path = call.line.method, call.line.path.rstrip("/")
        match method, path:
            case "POST", "/v1/messages":
                await self._messages(call, raw)
            case "POST", "/v1/messages/count_tokens":
                await self._count_tokens(call, raw)
            case "GET", "/v1/models":
                query = dict(parse_qsl(call.line.query))
                await self._answer(call, models_page(self._provider.facts, day_at(call.now()), query))
            case "GET", _ if path.startswith("/v1/models/"):
                await self._model(call, path.removeprefix("/v1/models/"))
            case _, "/v1/messages" | "/v1/messages/count_tokens" | "/v1/models":
                await self._refuse(call, Refusal(405, "Method Not Allowed"))
            case _:
                await self._refuse(call, not_found("Not Found"))

    async def _messages(self, call: _Call, raw: bytes) -> None:
        body = read_object(raw)
        if isinstance(body, Refusal):
            await self._refuse(call, body)
            return
        effects = self.faults.strike(body)
        served = None if effects.hang_up else self._begin(call, body, effects)
        if effects.pause and not await call.line.pause(effects.pause):
            effects.hang_up = True
        if served is None or effects.hang_up:
            self._drop(served)
            await call.line.hang_up()
        elif isinstance(served, Refusal):
            await self._refuse(call, served)
        elif served.asked.stream:
            await _Stream(self._provider, call, served, effects).run(self._headers(call))
        else:
            await self._whole(call, served, effects)

    def _begin(self, call: _Call, body: dict[str, Any], effects: Effects) -> Serving | Refusal:
        """What the request gets, worked out at its start: the cache it sees is the cache of that moment."""
        if effects.refusal is not None:
            return effects.refusal
        now = call.now()
        asked = self._provider.ask(body, call.line.headers, now)
        if effects.failed_summary:
            asked = msgspec.structs.replace(asked, unsummed=True)
        if effects.error_event is not None and not asked.stream:
            return effects.error_event
        return self._provider.serve(asked, call.workspace, now, call.request_id)

    def _drop(self, served: Serving | Refusal | None) -> None:
        if isinstance(served, Serving):
            self._provider.dropped(served)

    async def _whole(self, call: _Call, serving: Serving, effects: Effects) -> None:
        """An answer in one piece; where it is to be cut off, the model's work was done and is billed."""
        body = encode(serving.message)
        at = call.now()
        broken = effects.break_after is not None
        self._provider.began(serving, at)
        generated = serving.usage.output_tokens if broken else None
        self._provider.settle(serving, began_at=at, ended_at=at, generated=generated)
        if not broken:
            await call.line.respond(200, self._headers(call), body)
            return
        await call.line.start(200, [*self._headers(call), (b"content-length", b"%d" % len(body))])
        await call.line.write(body[: len(body) // 2])
        await call.line.hang_up()

    async def _count_tokens(self, call: _Call, raw: bytes) -> None:
        body = read_object(raw)
        if isinstance(body, Refusal):
            await self._refuse(call, body)
            return
        asked = self._provider.ask(body, call.line.headers, call.now(), counting=True)
        counted = self._provider.count(asked, call.workspace, call.now())
        if isinstance(counted, Refusal):
            await self._refuse(call, counted)
        else:
            await self._answer(call, counted)

    async def _model(self, call: _Call, name: str) -> None:
        model = self._provider.facts.resolve(name)
        if not model.known:
            await self._refuse(call, not_found(f"model: {name}"))
        else:
            await self._answer(call, model_json(model, day_at(call.now())))

    async def _answer(self, call: _Call, value: dict[str, Any]) -> None:
        await call.line.respond(200, self._headers(call), encode(value))

    async def _refuse(self, call: _Call, refusal: Refusal) -> None:
        headers = self._headers(call)
        if refusal.retry_after is not None:
            headers.append((b"retry-after", f"{refusal.retry_after:g}".encode()))
        await call.line.respond(refusal.status, headers, refusal_body(refusal, call.request_id))

    def _headers(self, call: _Call) -> Headers:
        limits = self._provider.workspace(call.workspace).limits
        return [
            _JSON,
            (b"request-id", call.request_id.encode()),
            (b"anthropic-organization-id", _ORGANIZATION),
            (b"anthropic-workspace-id", call.workspace.encode()),
            *limits.headers(call.now()),
        ]

    def _not_let_in(self, headers: dict[str, str], key: str | None) -> Refusal | None:
        if not key:
            return Refusal(401, "x-api-key header is required")
        if self._keys is not None and key not in self._keys:
            return Refusal(401, "invalid x-api-key" if "x-api-key" in headers else "Invalid bearer token")
        version = headers.get("anthropic-version")
        if version is None:
            return invalid("anthropic-version: header is required")
        if version not in VERSIONS:
            return invalid(f"anthropic-version: {version!r} is not a valid version")
        return None

    def _ahead(self, headers: dict[str, str]) -> float:
        """How far ahead of the emulator's clock a request says it is."""
        said = headers.get(NOW_HEADER) if self._now_header else None
        try:
            return 0.0 if said is None else float(said) - self._clock.now()
        except ValueError:
            return 0.0

    def _remember(self, call: _Call, raw: bytes) -> None:
        line = call.line
        self.received.add(
            Received(
                request_id=call.request_id,
                workspace=call.workspace,
                method=line.method,
                path=f"{line.path}?{line.query}" if line.query else line.path,
                headers={name: value for name, value in line.headers.items() if name not in _SECRET_HEADERS},
                raw=raw,
            )
        )


class _Stream:
    """One streamed answer, billed for what the model had generated when it ended."""

    def __init__(self, provider: Provider, call: _Call, serving: Serving, effects: Effects) -> None:
        self._provider = provider
        self._line = call.line
        self._call = call
        self._serving = serving
        self._effects = effects
        self._began_at: float | None = None
        self._generated = 0
        self._settled = False

    async def run(self, headers: Headers) -> None:
        """Send the events until the end, a fault, or the client's leaving."""
        serving = self._serving
        extra = {name: serving.message[name] for name in ("context_management",) if name in serving.message}
        events = list(pieces(serving.message, serving.said, serving.usage, extra))
        limit = self._effects.break_after
        broken = limit is not None
        try:
            await self._line.start(200, [*_EVENTS, *headers[1:]])
            await self._send(events[:-1][:limit] if broken else events, last=events[-1])
            if broken:
                await self._break()
        finally:
            self._settle(self._generated)

    async def _send(self, events: list[Piece], *, last: Piece) -> None:
        """The first event by itself, then a few a write, or one at a time where they are to be slow."""
        step = 1 if self._effects.event_pause else _PIECES_A_WRITE
        groups = [events[:1], *(events[at : at + step] for at in range(1, len(events), step))]
        for group in groups:
            if not group:
                continue
            if self._effects.event_pause and not await self._line.pause(self._effects.event_pause):
                return
            self._generated = group[-1].generated
            self._begin()
            ends = group[-1] is last
            if ends:
                self._settle(None)
            await self._line.write(b"".join(piece.data for piece in group), more=not ends)

    async def _break(self) -> None:
        self._settle(self._generated)
        error = self._effects.error_event
        if error is not None:
            await self._line.write(error_event(error_object(error)), more=False)
        else:
            await self._line.hang_up()

    def _begin(self) -> None:
        if self._began_at is None:
            self._began_at = self._call.now()
            self._provider.began(self._serving, self._began_at)

    def _settle(self, generated: int | None) -> None:
        """Book the answer once; what never began bills nothing."""
        if self._settled:
            return
        self._settled = True
        if self._began_at is None:
            self._provider.dropped(self._serving)
            return
        self._provider.settle(
            self._serving, began_at=self._began_at, ended_at=self._call.now(), generated=generated
        )


def _key(headers: dict[str, str]) -> str | None:
    bearer = headers.get("authorization", "")
    scheme, _, token = bearer.partition(" ")
    return headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else None) or None


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
