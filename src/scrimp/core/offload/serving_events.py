"""The events of a stream as bytes: cut where they end, looked into only where need be, and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.errors import ResponseError
from scrimp.wire.dumps import dumps
from scrimp.wire.events import Event, SSEParser

__all__ = ["Cutter", "event_bytes", "read_event"]

_USUAL: tuple[bytes, ...] = (b"\n\n",)
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LONGEST_END = 4


class Cutter:
    """Cuts bytes, however they come, into whole events with the blank line that ends each."""

    def __init__(self) -> None:
        self._left = bytearray()
        self._looked = 0
        self._ends = _USUAL

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` completes, byte for byte."""
        self._left += chunk
        if b"\r" in chunk:
            self._ends = _ENDS
        events = []
        end = self._end()
        while end:
            events.append(bytes(self._left[:end]))
            del self._left[:end]
            self._looked = 0
            end = self._end()
        self._looked = max(0, len(self._left) - _LONGEST_END)
        return events

    def rest(self) -> bytes:
        """What came after the last whole event."""
        left = bytes(self._left)
        self._left.clear()
        self._looked = 0
        return left

    def _end(self) -> int:
        """Where the first event ends, 0 where it has not."""
        ends = [(at, at + len(end)) for end in self._ends if (at := self._left.find(end, self._looked)) >= 0]
        return min(ends)[1] if ends else 0


def read_event(raw: bytes) -> Event | None:
    """The event in these bytes; None where they hold none that can be read (a comment)."""
    events = SSEParser().feed(raw)
    if len(events) != 1:
        return None
    event = events[0]
    if event.name != "message":
        return event
    try:  # some proxies drop the name, and the data's type says the same
        name = event.json().get("type")
    except ResponseError:
        return event
    return Event(name, event.data) if isinstance(name, str) else event


def event_bytes(name: str, data: Mapping[str, Any]) -> bytes:
    """An event as it goes over the wire."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), dumps(data))
