"""Server-sent events of a streamed response, from bytes cut anywhere.

The format is the HTML standard's "Server-sent events" section; event names and payloads are those of the
Messages API reference ("Streaming"). Nothing is judged here: an unknown event is an event like any other.
"""

from __future__ import annotations

from typing import Any

from scrimp.errors import ResponseError
from scrimp.wire.loads import loads

__all__ = ["Event", "SSEParser"]

_BOM = b"\xef\xbb\xbf"


class Event:
    """One event: its name and the bytes of its data. The data is decoded only when `json` is asked for."""

    __slots__ = ("data", "name")

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and (self.name, self.data) == (other.name, other.data)

    def __hash__(self) -> int:
        return hash((self.name, self.data))

    def __repr__(self) -> str:
        return f"Event({self.name!r}, {self.data!r})"

    def json(self) -> dict[str, Any]:
        """The data as a JSON object; raises ResponseError, naming the event, when it is not one."""
        try:
            value = loads(self.data)
        except ValueError as error:
            raise ResponseError(f"event {self.name}: data is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise ResponseError(f"event {self.name}: data is {type(value).__name__}, expected an object")
        return value


class SSEParser:
    """Turns byte chunks, cut anywhere, into events.

    Each byte is looked at once however small the chunks are; only the unfinished event is kept.
    """

    def __init__(self) -> None:
        self._started = False
        self._after_cr = False
        self._partial: list[bytes] = []
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes, in order."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if chunk.find(b"\n") < 0 and chunk.find(b"\r") < 0:  # several times as quick as `in`
            if chunk:
                self._partial.append(chunk)
            return []
        self._after_cr = chunk.endswith(b"\r")
        if self._partial:
            self._partial.append(chunk)
            chunk = b"".join(self._partial)
            self._partial.clear()
        lines = chunk.splitlines()
        if not chunk.endswith((b"\n", b"\r")):
            self._partial.append(lines.pop())
        return self._read(lines)

    def finish(self) -> list[Event]:
        """The last event of a stream that ended without its blank line, if all of its data arrived.

        Data that breaks off in the middle of its JSON was cut by the connection: it is no event.
        """
        line = b"".join(self._partial)
        self._partial.clear()
        events = self._read([line, b""])
        return [event for event in events if _is_whole(event)]

    def _read(self, lines: list[bytes]) -> list[Event]:
        if not self._started and lines:
            self._started = True
            lines[0] = lines[0].removeprefix(_BOM)
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(Event(self._name or "message", b"\n".join(self._data)))
                    self._data = []
                self._name = ""
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ").decode("utf-8", "replace")
            elif line == b"data":
                self._data.append(b"")
            elif line == b"event":
                self._name = ""
        return events


def _is_whole(event: Event) -> bool:
    try:
        loads(event.data)
    except ValueError:
        return False
    return True
