"""An answer on its way to the client: every part as it comes, the meter after the write."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Protocol

from scrimp.asgi.shapes import Headers
from scrimp.gateway.headers import downwards
from scrimp.gateway.inbound import Inbound
from scrimp.gateway.refusals import RefusedError
from scrimp.gateway.turns import Turns
from scrimp.gateway.upstream import BrokenOffError

__all__ = ["Answering", "Meter", "Relay", "unpacker"]

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Answering(Protocol):
    """An answer whose head is there; see `UpstreamAnswer`."""

    @property
    def status(self) -> int: ...

    @property
    def head(self) -> bytes: ...

    @property
    def named(self) -> Mapping[bytes, bytes]: ...

    @property
    def raw_headers(self) -> Headers: ...

    def is_over(self) -> bool: ...

    def at_hand(self) -> bytes: ...

    async def passed(self, take: Callable[[bytes, bool], bool]) -> bytes: ...

    def close(self) -> None: ...


class Meter(Protocol):
    """Looks at what passes."""

    def saw(self, chunk: bytes) -> None:
        """A part passed by."""

    def end(self) -> None:
        """The answer is over, completely or not."""


def unpacker(encoding: str, saw: Callable[[bytes], None]) -> Callable[[bytes], None] | None:
    """What to give packed parts to, so that `saw` gets them unpacked; None: nobody here can unpack them."""
    if encoding in ("", "identity"):
        return saw
    bits = _WINDOW_BITS.get(encoding.lower())
    if bits is None:
        return None
    inflate = zlib.decompressobj(bits)

    def unpacked(chunk: bytes) -> None:
        try:
            saw(inflate.decompress(chunk))
        except zlib.error:  # the client gets the bytes as they are; the bill stays unknown
            return

    return unpacked


class _Looks:
    """A meter that looks at what has passed when there is time, in order, and before the end."""

    def __init__(self, meter: Meter, saw: Callable[[bytes], None] | None, turns: Turns) -> None:
        """`saw` is the meter's, for parts as they come; None: they cannot be read."""
        self._meter = meter
        self._saw = saw
        self._turns = turns
        self._unseen: deque[bytes] = deque()

    def saw(self, part: bytes) -> None:
        """See `Meter`."""
        if self._saw is not None:
            self._unseen.append(part)
            self._turns.later(self._look)

    def end(self) -> None:
        """See `Meter`."""
        try:
            while self._unseen:
                self._look()
        finally:
            self._meter.end()

    def _look(self) -> None:
        """At the next one, unless the end was quicker."""
        if self._saw is not None and self._unseen:
            self._saw(self._unseen.popleft())


class Relay:
    """Passes answers on."""

    def __init__(self, *, silence: float, turns: Turns | None = None) -> None:
        """`silence` is how many seconds may pass between two parts; pings are parts."""
        self._silence = silence
        self._turns = turns or Turns()

    async def run(
        self, inbound: Inbound, answer: Answering, meter: Meter | None = None, *, soon: bool = False
    ) -> bool:
        """Pass on the whole answer, or hang up where it breaks off; whether it was whole.

        The meter hears of every way it can end: before this returns, or `soon`.
        """
        saw = None
        if meter is not None:
            packed = answer.named.get(b"content-encoding")
            saw = meter.saw if packed is None else unpacker(packed.decode("latin-1"), meter.saw)
        try:
            part = self._begun(inbound, answer)
            if answer.is_over():
                if not inbound.wrote(part, more=False):
                    await inbound.write(part, more=False)
                if saw is not None:
                    saw(part)
            else:
                if meter is not None:
                    meter = _Looks(meter, saw, self._turns)
                await self._stream(inbound, answer, part, meter)
        except BrokenOffError:
            inbound.hang_up()
            return False
        finally:
            answer.close()
            if meter is not None and soon:
                self._turns.when_there_is_time(meter.end)
            elif meter is not None:
                meter.end()
        return True

    def _begun(self, inbound: Inbound, answer: Answering) -> bytes:
        """The client's answer has begun; what is at hand of its body."""
        if not 200 <= answer.status < 600:
            raise RefusedError(
                502, f"scrimp: the upstream answered with {answer.status}, which is no status", upstream=True
            )
        inbound.within(monotonic() + self._silence, "silent")
        raw, named, head = answer.raw_headers, answer.named, answer.head
        headers = raw if head else downwards(raw, named)
        inbound.start(answer.status, headers, named if headers is raw else None, head)
        return answer.at_hand()

    async def _stream(self, inbound: Inbound, answer: Answering, part: bytes, meter: Meter | None) -> None:
        """Pass on what comes part by part, `part` first."""
        silence = self._silence

        def take(part: bytes, over: bool) -> bool:  # noqa: FBT001 - see `UpstreamAnswer.passed`
            if not inbound.wrote(part, more=not over):
                return False
            inbound.within(monotonic() + silence, "silent")
            if meter is not None:
                meter.saw(part)
            return True

        self._turns.streams += 1
        try:
            if not part:
                await inbound.write(b"")  # the head goes out by itself: the first event may take a while
                part = await answer.passed(take)
            while part:
                over = answer.is_over()
                await inbound.write(part, more=not over)
                if meter is not None:
                    meter.saw(part)
                if over:
                    return
                inbound.within(monotonic() + silence, "silent")
                part = await answer.passed(take)
            if not inbound.response_complete:
                await inbound.write(b"", more=False)
        finally:
            self._turns.streams -= 1
