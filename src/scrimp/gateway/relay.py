"""An answer on its way to the client: every part as it comes, the meter after the write."""

from __future__ import annotations

import zlib
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
    def headers(self) -> Mapping[str, str]: ...

    @property
    def raw_headers(self) -> Headers: ...

    def is_over(self) -> bool: ...

    def at_hand(self) -> bytes: ...

    async def part(self) -> bytes: ...

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
            packed = answer.headers.get("content-encoding")
            saw = meter.saw if packed is None else unpacker(packed, meter.saw)
        try:
            part = self._begun(inbound, answer)
            if answer.is_over():
                await inbound.write(part, more=False)
                if saw is not None:
                    saw(part)
            else:
                await self._stream(inbound, answer, part, saw)
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
        inbound.start(answer.status, downwards(answer.raw_headers, answer.headers))
        return answer.at_hand()

    async def _stream(
        self, inbound: Inbound, answer: Answering, part: bytes, saw: Callable[[bytes], None] | None
    ) -> None:
        """Pass on what comes part by part, `part` first."""
        self._turns.streams += 1
        try:
            if not part:
                await inbound.write(b"")  # the head goes out by itself: the first event may take a while
                part = await answer.part()
            while part:
                over = answer.is_over()
                await inbound.write(part, more=not over)
                if saw is not None:
                    saw(part)
                if over:
                    return
                inbound.within(monotonic() + self._silence, "silent")
                part = await answer.part()
            await inbound.write(b"", more=False)
        finally:
            self._turns.streams -= 1
