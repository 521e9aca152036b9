"""One stream for the agent from the streams of several rounds, without what it is not shown.

Everything passes as it comes, byte for byte, until the model calls the tool. From there on that call is held
back, later blocks take the numbers they would have without it, and the end of the message waits until it is
known whether another request follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.hidden_turn import Block, is_fetch
from scrimp.core.offload.serving import PAUSED, Rounds
from scrimp.core.offload.serving_events import Cutter, event_bytes, read_event
from scrimp.errors import ResponseError
from scrimp.wire.events import Event
from scrimp.wire.rebuild import MessageBuilder

__all__ = ["Splice"]

_ONLY_AT_THE_START = frozenset({"service_tier", "inference_geo", "speed"})
"""What of a usage the end of a stream does not repeat ("Streaming")."""

_PLAIN = (b"event: content_block_delta", b"event: content_block_stop", b"event: ping")
_ENDS = frozenset({"message_delta", "message_stop"})
_NUMBERED = frozenset({"content_block_start", "content_block_delta", "content_block_stop"})


class Splice:
    """The stream that the agent gets. No I/O: bytes of the upstream in, bytes of the agent's stream out.

    For each round `feed` what comes, and call `over` when that is all. Where `asked` then holds calls, hand
    their results to `answered`: as long as that says that another request goes out, there is another round;
    otherwise `closing` is the end.
    """

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds
        self.asked: Sequence[Block] = ()
        self._cutter = Cutter()
        self._before = 0  # blocks that earlier rounds have shown
        self._again = False
        self._begin()

    def _begin(self) -> None:
        self._events: list[bytes] = []
        self._seen = 0
        self._withheld: set[int] = set()
        self._held: list[bytes] = []
        self._failed = False

    def feed(self, chunk: bytes) -> bytes:
        """What of it the agent gets now."""
        return b"".join([self._passed(raw) for raw in self._cutter.feed(chunk)])

    def over(self) -> bytes:
        """The upstream's stream has ended: what more of it the agent gets. Sets `asked`."""
        rest = self._cutter.rest()
        self.asked = ()
        if rest and self._alters:
            rest = self._passed(rest + b"\n\n")
        message = self._message() if self._held and not self._failed else None
        if message is None:  # nothing was held back, or it broke off before its end
            return rest
        self.asked = self.rounds.took(message)
        return rest if self.asked else rest + self.closing()

    def answered(self, results: Sequence[Fetched]) -> bool:
        """The results of what was asked; whether another request goes out."""
        if not self.rounds.answered(results):
            return False
        self._before += self._seen - len(self._withheld)
        self._again = True
        self._begin()
        return True

    def closing(self) -> bytes:
        """The end of the message, with what all rounds were billed."""
        waits = self.rounds.waits
        if not self._again and not waits:
            return b"".join(self._held)
        last: dict[str, Any] = {"type": "message_delta"}
        for raw in self._held:
            event = read_event(raw)
            if event is not None and event.name == "message_delta":
                last.update(event.json())
        told = last.get("delta")
        delta = dict(told) if isinstance(told, Mapping) else {}
        if waits:
            delta.update(stop_reason=PAUSED, stop_sequence=None)
        usage = self.rounds.usage()
        last.update(
            delta=delta, usage={name: usage[name] for name in usage if name not in _ONLY_AT_THE_START}
        )
        return event_bytes("message_delta", last) + event_bytes("message_stop", {"type": "message_stop"})

    @staticmethod
    def failed(body: bytes) -> bytes:
        """A further request was refused: the API's error, as it comes in the middle of a stream."""
        return b"event: error\ndata: %b\n\n" % b"".join(body.splitlines())

    @property
    def _alters(self) -> bool:
        """Whether events may be held back or renumbered from here on."""
        return self._again or bool(self._withheld)

    def _passed(self, raw: bytes) -> bytes:
        """What of one event the agent gets now."""
        self._events.append(raw)
        if not self._alters and raw.startswith(_PLAIN):
            return raw
        event = read_event(raw)
        if event is None:
            return raw
        if event.name in _NUMBERED:
            try:
                return self._numbered(event, raw)
            except ResponseError:  # whoever reads it says so
                return raw
        if event.name in _ENDS and self._alters:
            self._held.append(raw)
            return b""
        self._failed |= event.name == "error"
        return b"" if self._again and event.name == "message_start" else raw

    def _numbered(self, event: Event, raw: bytes) -> bytes:
        """An event of a block: withheld, as it is, or with the number the block has for the agent."""
        body = event.json()
        number = body.get("index")
        if not isinstance(number, int):
            return raw
        if event.name == "content_block_start":
            self._seen += 1
            block = body.get("content_block")
            if isinstance(block, Mapping) and is_fetch(block):
                self._withheld.add(number)
        if number in self._withheld:
            return b""
        shift = self._before - sum(other < number for other in self._withheld)
        return raw if shift == 0 else event_bytes(event.name, {**body, "index": number + shift})

    def _message(self) -> dict[str, Any] | None:
        """This round's answer as it would have come without streaming; None where it cannot be read."""
        builder = MessageBuilder()
        try:
            for raw in self._events:
                event = read_event(raw)
                if event is not None:
                    builder.feed(event)
        except ResponseError:
            return None
        return builder.message()
