"""Messages over a socket between two processes of one program: the length of each stands before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

__all__ = ["Channel"]

_LENGTH_BYTES = 4


class Channel(asyncio.Protocol):
    """One end. `heard` gets every message whole, `lost` is called once when the other end is gone."""

    def __init__(self, heard: Callable[[memoryview], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by name

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """See asyncio."""
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._read += data
        begin, there = 0, len(self._read)
        view = memoryview(bytes(self._read))
        while there - begin >= _LENGTH_BYTES:
            end = begin + _LENGTH_BYTES + int.from_bytes(view[begin : begin + _LENGTH_BYTES], "big")
            if end > there:
                break
            self._heard(view[begin + _LENGTH_BYTES : end])
            begin = end
        del self._read[:begin]

    def send(self, message: bytes) -> None:
        """Send a message; to nobody where the other end is gone. For the loop's own thread."""
        if self._transport is not None:
            self._transport.write(len(message).to_bytes(_LENGTH_BYTES, "big") + message)

    def close(self) -> None:
        """No more of it; what was sent arrives."""
        if self._transport is not None:
            self._transport.close()
