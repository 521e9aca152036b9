"""Reading a response of the SDK beside the caller: bytes pass through as they come.

Every way the SDK reads a body (parsed, streamed, raw, line by line) goes through the response's `iter_bytes`
or `aiter_bytes`, after decompression; a tee there sees what the caller sees and no more. Where the caller
stops early, closing the response ends the reading.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from scrimp.office.reading import Reading

__all__ = ["Tee"]

_STREAM = "text/event-stream"


class Tee(Reading):
    """The metering of one response of the SDK."""

    def __init__(self, response: Any, clock: Callable[[], float], *, rebuild: bool = False) -> None:
        super().__init__(clock, streams=_STREAM in response.headers.get("content-type", ""), rebuild=rebuild)
        self._response = response
        self.finished = bool(response.is_closed)

    def begin(self) -> None:
        """Begin to read along; call before anyone reads the response."""
        response = self._response
        if hasattr(response, "aiter_bytes") and hasattr(response, "aclose"):
            self._tee_async(response)
        if hasattr(response, "iter_bytes") and hasattr(response, "close"):
            self._tee_sync(response)

    def content(self) -> bytes:
        """The body as it passed, or as the SDK has it already."""
        return super().content() or bytes(self._response.content)

    def _tee_sync(self, response: Any) -> None:
        read, close = response.iter_bytes, response.close

        def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
            try:
                for chunk in read(chunk_size):
                    self.saw(chunk)
                    yield chunk
            finally:
                self.end()

        def closed() -> None:
            close()
            self.end()

        response.iter_bytes, response.close = iter_bytes, closed

    def _tee_async(self, response: Any) -> None:
        read, close = response.aiter_bytes, response.aclose

        async def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
            try:
                async for chunk in read(chunk_size):
                    self.saw(chunk)
                    yield chunk
            finally:
                self.end()

        async def aclosed() -> None:
            await close()
            self.end()

        response.aiter_bytes, response.aclose = aiter_bytes, aclosed
