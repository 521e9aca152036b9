"""Reading a response beside the caller: bytes pass through as they come, counts are kept.

Every way the SDK reads a body (parsed, streamed, raw, line by line) goes through the response's `iter_bytes`
or `aiter_bytes`, after decompression; a tee there sees what the caller sees and no more. Where the caller
stops early, closing the response ends the reading.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from scrimp.core.flow import Finished
from scrimp.core.meter import Meter, Metered, OutputChars, meter_response
from scrimp.errors import ResponseError
from scrimp.wire.events import SSEParser
from scrimp.wire.loads import loads
from scrimp.wire.rebuild import MessageBuilder

__all__ = ["Reading"]

_STREAM = "text/event-stream"


class Reading:
    """The metering of one response."""

    def __init__(self, response: Any, clock: Callable[[], float], *, rebuild: bool = False) -> None:
        self._response = response
        self._clock = clock
        self._streams = _STREAM in response.headers.get("content-type", "")
        self._parser = SSEParser()
        self._meter = Meter()
        self._builder = MessageBuilder() if rebuild else None
        self._body = bytearray()
        self._then: Callable[[], None] | None = None
        self._fault: ResponseError | None = None
        self.finished = bool(response.is_closed)

    def tee(self) -> None:
        """Begin to read along; call before anyone reads the response."""
        response = self._response
        if hasattr(response, "aiter_bytes") and hasattr(response, "aclose"):
            self._tee_async(response)
        if hasattr(response, "iter_bytes") and hasattr(response, "close"):
            self._tee_sync(response)

    def message(self) -> Any:
        """The whole response, put together again if it was streamed; None where it cannot be read."""
        try:
            if not self._streams:
                return loads(bytes(self._body) or self._response.content)
        except ValueError:
            return None
        return self._builder.message() if self._builder else None

    def when_finished(self, then: Callable[[], None]) -> None:
        """Call `then` once, when the response is over."""
        self._then = then

    def finish(self, output_tokens_of: Callable[[OutputChars], int]) -> Finished:
        """What the response was billed. Raises `ResponseError` when it cannot be told."""
        if self._fault is not None:
            raise self._fault
        return Finished(self._metered(output_tokens_of), self._clock())

    def _metered(self, output_tokens_of: Callable[[OutputChars], int]) -> Metered:
        if not self._streams:
            return meter_response(bytes(self._body) or self._response.content)
        for event in self._parser.finish():
            self._meter.feed(event)
        return self._meter.finish(output_tokens_of)

    def _saw(self, chunk: bytes) -> None:
        if self._fault is not None:
            return
        if not self._streams:
            self._body += chunk
            return
        try:
            for event in self._parser.feed(chunk):
                self._meter.feed(event)
                if self._builder:
                    self._builder.feed(event)
        except ResponseError as error:  # told when the response is over; the caller reads on
            self._fault = error

    def _end(self) -> None:
        if self.finished:
            return
        self.finished = True
        if self._then is not None:
            self._then()

    def _tee_sync(self, response: Any) -> None:
        read, close = response.iter_bytes, response.close

        def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
            try:
                for chunk in read(chunk_size):
                    self._saw(chunk)
                    yield chunk
            finally:
                self._end()

        def closed() -> None:
            close()
            self._end()

        response.iter_bytes, response.close = iter_bytes, closed

    def _tee_async(self, response: Any) -> None:
        read, close = response.aiter_bytes, response.aclose

        async def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
            try:
                async for chunk in read(chunk_size):
                    self._saw(chunk)
                    yield chunk
            finally:
                self._end()

        async def aclosed() -> None:
            await close()
            self._end()

        response.aiter_bytes, response.aclose = aiter_bytes, aclosed
