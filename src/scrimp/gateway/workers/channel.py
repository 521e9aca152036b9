"""Messages over a socket between two processes of one program: the length of each stands before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

__all__ = ["Channel", "Pieces", "framed"]

_LENGTH_BYTES = 4


def framed(message: bytes) -> bytes:
    """A message as it goes out."""
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


class Pieces:
    """What came so far of messages, which need not come whole."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> list[memoryview]:
        """The messages that are whole now that this came too."""
        read = self._rest + data if self._rest else data
        view, begin, there = memoryview(read), 0, len(read)
        whole = []
        while there - begin >= _LENGTH_BYTES:
            end = begin + _LENGTH_BYTES + int.from_bytes(view[begin : begin + _LENGTH_BYTES], "big")
            if end > there:
                break
            whole.append(view[begin + _LENGTH_BYTES : end])
            begin = end
        self._rest = read[begin:]
        return whole


class Channel(asyncio.Protocol):
    """One end. `heard` gets every message whole, `lost` is called once when the other end is gone."""

    def __init__(self, heard: Callable[[memoryview], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._pieces = Pieces()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by name

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """See asyncio."""
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        for message in self._pieces.add(data):
            self._heard(message)

    def send(self, message: bytes) -> None:
        """Send a message; to nobody where the other end is gone. For the loop's own thread."""
        if self._transport is not None:
            self._transport.write(framed(message))

    def close(self) -> None:
        """No more of it; what was sent arrives."""
        if self._transport is not None:
            self._transport.close()
