"""Receiving long requests whose heads are known: their bodies are copied once instead of twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["LongRequests"]


class LongRequests(asyncio.BufferedProtocol):
    """Takes the place of a connection's protocol, which gets everything but the requests that are known."""

    def __init__(
        self, known: Callable[[bytearray, int], bool], protocol: asyncio.Protocol, room: bytearray
    ) -> None:
        """`known` is given what was read, and how many bytes of it there are, and says whether it took it.

        `room` may be that of other connections too: an event loop reads, and tells of it, one at a time.
        """
        self._known = known
        self._protocol = protocol
        self._room = room

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """See asyncio."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio."""
        if not self._known(self._room, nbytes):
            self._protocol.data_received(bytes(memoryview(self._room)[:nbytes]))

    def eof_received(self) -> bool | None:
        """See asyncio."""
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._protocol.resume_writing()
