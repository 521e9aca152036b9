"""Serving `scrimp_fetch` inside the SDK: several attempts, and the one answer that the caller asked for.

Every attempt goes through the whole flow, with its own hold, bill and record. What the SDK reads is the
response of the first where it streams, else of the last, with another body in its place: it is parsed,
streamed or handed on raw as any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

from scrimp.calls import is_sent_as_marked
from scrimp.core.forgetting import forget_oldest
from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.hidden_turn import Block
from scrimp.core.offload.scopes import scope_of
from scrimp.core.offload.serving import UNBOUND, Rounds, Server, is_unbound, serves
from scrimp.core.offload.serving_stream import Splice
from scrimp.errors import ResponseError, ScrimpError
from scrimp.middleware.copying import with_body
from scrimp.office import Office
from scrimp.runs import around, current_run, current_tags
from scrimp.wire.dumps import dumps
from scrimp.wire.response import decoded

__all__ = ["Fetching"]

_MESSAGES = "/v1/messages"
_STREAM = "text/event-stream"
_MOST_UNFINISHED = 64
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class Fetching:
    """Answers the model's calls of the tool, for all calls through one middleware."""

    def __init__(self, office: Office, server: Server) -> None:
        self.server = server
        self.lock = office.lever_lock
        self.tell = office.tell
        self.unfinished: dict[str, Rounds] = {}

    @classmethod
    def of(cls, office: Office) -> Self | None:
        """For the lever that answers such calls, where there is one."""
        return None if office.server is None else cls(office, office.server)

    def begun(self, request: Any) -> Serving | None:
        """The call that an attempt of the SDK belongs to; None where nothing of it is served."""
        body = request.json
        if request.method.lower() != "post" or not isinstance(body, Mapping) or not serves(body):
            return None
        if urlsplit(request.url).path.rstrip("/") != _MESSAGES or is_sent_as_marked():
            return None
        key = getattr(request.options, "idempotency_key", None)
        name = key if isinstance(key, str) else None
        rounds = self.unfinished.pop(name, None) if name and request.retries_taken else None
        return Serving(self, request, rounds or Rounds(body), name)


class Serving:
    """One call under way. Where the SDK tries again after a later request failed, only that is sent again."""

    def __init__(self, fetching: Fetching, request: Any, rounds: Rounds, name: str | None) -> None:
        self._fetching = fetching
        self._request = request
        self._rounds = rounds
        self._splice = Splice(rounds)
        self._name = name
        self._scope = scope_of(current_tags())
        self._run = current_run()

    @property
    def asked(self) -> bool:
        """Whether the next request is the caller's own."""
        return not self._rounds.began

    def run(self, attempt: Callable[[Any], Any]) -> Any:
        """The response that the caller gets; `attempt` sends one request."""
        response = attempt(self._next())
        if response.status_code == 400 and self._unbinds(response.read()):
            response = attempt(self._next())
        while _is_whole(response):
            request = self._after(response.read())
            if request is None:
                return self._finished(response)
            try:
                response = attempt(request)
            except ScrimpError:
                if not self._rounds.speaks:
                    raise
                return self._finished(response)
        if _streams(response):
            self._splice_into(response.http_response, attempt)
        return response

    async def run_async(self, attempt: Callable[[Any], Awaitable[Any]]) -> Any:
        """The same for an async client."""
        response = await attempt(self._next())
        if response.status_code == 400 and self._unbinds(await response.read()):
            response = await attempt(self._next())
        while _is_whole(response):
            request = self._after(await response.read())
            if request is None:
                return self._finished(response)
            try:
                response = await attempt(request)
            except ScrimpError:
                if not self._rounds.speaks:
                    raise
                return self._finished(response)
        if _streams(response):
            self._splice_into_async(response.http_response, attempt)
        return response

    def _next(self) -> Any:
        """The request of the next round; the caller's own where that is the first."""
        rounds = self._rounds
        return with_body(self._request, rounds.body) if rounds.began else self._request

    def _unbinds(self, refusal: bytes) -> bool:
        """Whether the request was refused for thinking that it goes out without from now on."""
        if not is_unbound(refusal):
            return False
        with self._fetching.lock:
            unbinds = self._fetching.server.hidden.unbind(self._request.json, self._scope)
        if unbinds:
            self._fetching.tell(UNBOUND)
        return unbinds

    def _after(self, content: bytes) -> Any | None:
        """The request that follows a whole answer, None where that is the end."""
        try:
            calls = self._rounds.took(decoded(content))
        except ResponseError:  # whoever reads it says so
            return None
        return self._following() if calls and self._rounds.answered(self._answers(calls)) else None

    def _answers(self, calls: Sequence[Block]) -> list[Fetched]:
        server = self._fetching.server
        return [server.answer(call["input"], self._scope) for call in calls]

    def _following(self) -> Any:
        if self._name is not None:
            with self._fetching.lock:
                self._fetching.unfinished[self._name] = self._rounds
                forget_oldest(self._fetching.unfinished, _MOST_UNFINISHED)
        return self._next()

    def _finished(self, response: Any) -> Any:
        """The last response, saying what all of them said."""
        self._over()
        if self._rounds.changed:
            response.http_response = _saying(response.http_response, dumps(self._rounds.message()))
            getattr(response, "_parsed_by_type", {}).clear()  # where another middleware has looked at it
        return response

    def _over(self) -> None:
        """Remember what the caller is not shown, before it sees the end of its answer."""
        if self._name is not None:
            self._fetching.unfinished.pop(self._name, None)
        self._rounds.keep(self._fetching.server.hidden, self._scope, self._fetching.lock)

    def _round_over(self) -> tuple[bytes, Any | None]:
        """A round's stream has ended: what the caller gets of it, and the request that follows."""
        out, calls = self._splice.over(), self._splice.asked
        if calls and self._splice.answered(self._answers(calls)):
            return out, self._next()
        self._over()
        return (out + self._splice.closing() if calls else out), None

    def _refused(self, error: ScrimpError) -> bytes:
        """The end of a stream of which no more may be asked for; raises where nothing of it was shown."""
        if not self._rounds.speaks:
            raise error
        self._over()
        return self._splice.closing()

    def _splice_into(self, first: Any, attempt: Callable[[Any], Any]) -> None:
        read, close, current = first.iter_bytes, first.close, [first]

        def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
            source = read(chunk_size)
            while source is not None:
                for chunk in source:
                    if out := self._splice.feed(chunk):
                        yield out
                out, request = self._round_over()
                if out:
                    yield out
                if request is None:
                    return
                try:
                    with around(self._run):
                        response = attempt(request)
                except ScrimpError as error:
                    yield self._refused(error)
                    return
                current.append(response.http_response)
                if response.status_code >= 400:
                    yield Splice.failed(response.read())
                    return
                source = response.http_response.iter_bytes(chunk_size)

        def closed() -> None:
            close()
            for later in current[1:]:
                later.close()

        first.iter_bytes, first.close = iter_bytes, closed

    def _splice_into_async(self, first: Any, attempt: Callable[[Any], Awaitable[Any]]) -> None:
        read, close, current = first.aiter_bytes, first.aclose, [first]

        async def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
            source = read(chunk_size)
            while source is not None:
                async for chunk in source:
                    if out := self._splice.feed(chunk):
                        yield out
                out, request = self._round_over()
                if out:
                    yield out
                if request is None:
                    return
                try:
                    with around(self._run):
                        response = await attempt(request)
                except ScrimpError as error:
                    yield self._refused(error)
                    return
                current.append(response.http_response)
                if response.status_code >= 400:
                    yield Splice.failed(await response.read())
                    return
                source = response.http_response.aiter_bytes(chunk_size)

        async def aclosed() -> None:
            await close()
            for later in current[1:]:
                await later.aclose()

        first.aiter_bytes, first.aclose = aiter_bytes, aclosed


def _is_whole(response: Any) -> bool:
    """Whether this is an answer, and no stream of one."""
    return response.status_code < 400 and "json" in response.headers.get("content-type", "")


def _streams(response: Any) -> bool:
    """Whether this is an answer in events; clouds have formats of their own, which are left alone."""
    return response.status_code < 400 and _STREAM in response.headers.get("content-type", "")


def _saying(response: Any, content: bytes) -> Any:
    """A response as this one, with another body."""
    headers = response.headers.copy()
    for name in _OF_THE_BODY:
        headers.pop(name, None)
    made = type(response)(
        response.status_code,
        headers=headers,
        content=content,
        request=response.request,
        extensions=response.extensions,
    )
    with suppress(RuntimeError):  # one that another middleware has made took no time
        made.elapsed = response.elapsed
    return made
