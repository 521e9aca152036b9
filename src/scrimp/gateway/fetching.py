"""Serving `scrimp_fetch` in the gateway: several requests upstream, and the one answer that a client gets.

Each of them is a call like any other, with its own hold, bill and record. A stream is relayed as it comes;
what follows a call of the tool comes in the same stream.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

import msgspec

from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.hidden_turn import Block
from scrimp.core.offload.scopes import scope_of
from scrimp.core.offload.serving import UNBOUND, Rounds, Server, is_unbound, serves
from scrimp.core.offload.serving_stream import Splice
from scrimp.errors import ResponseError
from scrimp.gateway.headers import downwards
from scrimp.gateway.messages import Call
from scrimp.gateway.refusals import RefusedError, refusal_body
from scrimp.gateway.upstream import BrokenOffError, UpstreamAnswer
from scrimp.wire.dumps import dumps
from scrimp.wire.response import decoded

__all__ = ["FetchingCall"]

_OF_THE_BODY = frozenset({b"content-length", b"content-encoding"})
_PLAIN = ("", "identity")


class FetchingCall(Call):
    """A call of a client for whom fetches are served, where its request allows that."""

    rounds: Rounds
    last: Call
    """The call of the round under way; of the first, this one."""

    async def run(self) -> None:
        """Answer the client. Raises `RefusedError`, and what cancels the call."""
        server = self._office.server
        if server is None or self._asked.caller.mode != "save" or not serves(self._asked.body):
            await super().run()
            return
        self.rounds, self.last = Rounds(self._asked.body), self
        response = await self.answer()
        if response.status == 400:
            refusal = await self._read(response)
            if not is_unbound(refusal) or not self._unbinds(server):
                await self._respond(response, refusal)
                return
            response = await self.further()
        kind = response.header(b"content-type") or ""
        plain = response.status < 400 and (response.header(b"content-encoding") or "") in _PLAIN
        if plain and "text/event-stream" in kind:
            await self._ways.relay.run(self._inbound, _Spliced(self, server, response))
        elif plain and "json" in kind:
            await self._serve_whole(server, response)
        else:
            await self.last.pass_on(response)

    async def further(self) -> UpstreamAnswer:
        """The answer to the next request of this call. Raises `RefusedError`."""
        text = dumps(self.rounds.body)
        changed = {"raw": text, "text": text, "body": dict(self.rounds.body), "layout": None}
        asked = msgspec.structs.replace(self._asked, **changed)
        self.last = Call(self._inbound, asked, self._office, self._ways)
        self.last.follow(self, own=not self.rounds.began)
        return await self.last.answer()

    async def answers(self, server: Server, calls: Sequence[Block]) -> list[Fetched]:
        """The results of these calls, which may have to be read from a disk."""
        scope = scope_of(self._asked.tags)
        return await asyncio.to_thread(lambda: [server.answer(call["input"], scope) for call in calls])

    async def keep(self, server: Server) -> None:
        """Remember what the client is not shown, before it sees the end of its answer."""
        if self.rounds.turn is not None:
            scope, lock = scope_of(self._asked.tags), self._office.lever_lock
            await asyncio.to_thread(self.rounds.keep, server.hidden, scope, lock)

    async def _serve_whole(self, server: Server, response: UpstreamAnswer) -> None:
        """Answers that are not streamed: each is read before it is known whether another request follows."""
        content = await self._read(response)
        while await self._goes_on(server, content):
            try:
                response = await self.further()
            except RefusedError as refused:
                if refused.upstream or not self.rounds.speaks:
                    raise
                break
            if response.status >= 400:
                await self.last.pass_on(response)
                return
            content = await self._read(response)
        await self.keep(server)
        await self._respond(response, dumps(self.rounds.message()) if self.rounds.changed else content)

    async def _goes_on(self, server: Server, content: bytes) -> bool:
        """Whether another request follows this answer."""
        try:
            calls = self.rounds.took(decoded(content))
        except ResponseError:  # whoever reads it says so
            return False
        return bool(calls) and self.rounds.answered(await self.answers(server, calls))

    async def _read(self, response: UpstreamAnswer) -> bytes:
        """The whole body, metered and written down. Raises `RefusedError` where it breaks off."""
        content = b""
        try:
            content = await response.read()
        except BrokenOffError as error:
            raise RefusedError(502, "scrimp: the upstream's answer broke off", upstream=True) from error
        finally:
            response.close()
            self.last.metered(content)
        return content

    async def _respond(self, response: UpstreamAnswer, content: bytes) -> None:
        passed = downwards(response.raw_headers, response.named)
        headers = [one for one in passed if one[0].lower() not in _OF_THE_BODY]
        await self._inbound.respond(response.status, headers, content)

    def _unbinds(self, server: Server) -> bool:
        """Whether there is thinking to go out without from now on."""
        with self._office.lever_lock:
            unbinds = server.hidden.unbind(self._asked.body, scope_of(self._asked.tags))
        if unbinds:
            self._office.tell(UNBOUND)
        return unbinds


class _Spliced:
    """The streams of several rounds as the one answer that is relayed; see `UpstreamAnswer`."""

    def __init__(self, call: FetchingCall, server: Server, first: UpstreamAnswer) -> None:
        self.status = first.status
        self.head = b""
        self.named = {name: value for name, value in first.named.items() if name not in _OF_THE_BODY}
        self.raw_headers = [one for one in first.raw_headers if one[0].lower() not in _OF_THE_BODY]
        self._over = False
        self._call = call
        self._server = server
        self._response = first
        self._splice = Splice(call.rounds)

    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._over

    def at_hand(self) -> bytes:
        """What is there."""
        return self._fed(self._response.at_hand())

    async def passed(self, take: Callable[[bytes, bool], bool]) -> bytes:  # noqa: ARG002 - see `UpstreamAnswer`
        """What comes next; nothing at the end. Raises `BrokenOffError`."""
        while not self._over:
            chunk = await self._response.part()
            out = self._fed(chunk) if chunk else await self._round_over()
            if out:
                return out
        return b""

    def close(self) -> None:
        """No more of it is wanted."""
        self._response.close()
        self._call.last.metered()

    def _fed(self, chunk: bytes) -> bytes:
        reading = self._call.last.reading
        if reading is not None:
            reading.saw(chunk)
        return self._splice.feed(chunk)

    async def _round_over(self) -> bytes:
        """The end of a round: what the client gets of it; the next request goes out where one follows."""
        call, splice = self._call, self._splice
        out, calls = splice.over(), splice.asked
        call.last.metered()
        if calls and splice.answered(await call.answers(self._server, calls)):
            return out + await self._further()
        await self._end()
        return out + splice.closing() if calls else out

    async def _further(self) -> bytes:
        """The next round has begun; what ends the stream where it has not."""
        call = self._call
        try:
            self._response = await call.further()
            if self._response.status < 400:
                return b""
            error = await self._response.read()
        except RefusedError as refused:
            if not refused.upstream and call.rounds.speaks:
                await self._end()
                return self._splice.closing()
            error = refusal_body(refused.status, str(refused), f"req_scrimp_{os.urandom(12).hex()}")
        self._over = True
        return Splice.failed(error)

    async def _end(self) -> None:
        await self._call.keep(self._server)
        self._over = True
