"""Metering a response beside whoever reads it: chunks are looked at as they pass, counts are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrimp.core.commands import Finished
from scrimp.core.meter import Meter, OutputChars, meter_response
from scrimp.errors import ResponseError
from scrimp.wire.events import SSEParser
from scrimp.wire.loads import loads
from scrimp.wire.rebuild import MessageBuilder

__all__ = ["Reading"]


class Reading:
    """The metering of one response: `saw` every chunk, decompressed, then `end` however it ended."""

    def __init__(self, clock: Callable[[], float], *, streams: bool, rebuild: bool = False) -> None:
        self._clock = clock
        self.streams = streams
        """Whether the response comes as a stream."""
        if streams:
            self._parser = SSEParser()
            self._meter = Meter()
            self._builder = MessageBuilder() if rebuild else None
        self._parts: list[bytes] = []
        self._then: Callable[[], None] | None = None
        self._fault: ResponseError | None = None
        self.finished = False

    def saw(self, chunk: bytes) -> None:
        """A part of the response passed by."""
        if self._fault is not None:
            return
        if not self.streams:
            self._parts.append(chunk)
            return
        try:
            for event in self._parser.feed(chunk):
                self._meter.feed(event)
                if self._builder:
                    self._builder.feed(event)
        except ResponseError as error:  # told when the response is over; the caller reads on
            self._fault = error

    def end(self) -> None:
        """The response is over, completely or not."""
        if self.finished:
            return
        self.finished = True
        then, self._then = self._then, None  # it holds this reading: a circle keeps all of it in memory
        if then is not None:
            then()

    def when_finished(self, then: Callable[[], None]) -> None:
        """Call `then` once, when the response is over."""
        self._then = then

    def finish(self, output_tokens_of: Callable[[OutputChars], int]) -> Finished:
        """What the response was billed. Raises `ResponseError` when it cannot be told."""
        if self._fault is not None:
            raise self._fault
        if not self.streams:
            return Finished(meter_response(self.content()), self._clock())
        for event in self._parser.finish():
            self._meter.feed(event)
        return Finished(self._meter.finish(output_tokens_of), self._clock())

    def message(self) -> Any:
        """The whole response, put together again if it was streamed; None where it cannot be read."""
        try:
            if not self.streams:
                return loads(self.content())
        except ValueError:
            return None
        return self._builder.message() if self._builder else None

    def content(self) -> bytes:
        """The body of a response that is not streamed."""
        return b"".join(self._parts)
