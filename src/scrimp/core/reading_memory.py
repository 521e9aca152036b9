"""Requests read before, so that the next step of a conversation costs what is new in it.

Every request carries its whole conversation, as new objects each time. What tells conversations apart is what
they say on the wire, so the messages are encoded once, at C speed and so that equal bytes mean equal values
(`1`, `1.0` and `True` differ, and so do orders of keys). How many leading messages are those of an earlier
request is then a comparison of bytes: their blocks, digests and positions are taken over, and only what comes
after them is read. A message whose marker moved is one that changed: it is read again.

What comes out is exactly what `read_prompt` gives, but that blocks taken over hold the values of the request
they were read from.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from operator import is_
from typing import Any, NamedTuple

import msgspec

from scrimp.core.prompt import (
    THINKING,
    Digest,
    Prompt,
    Reading,
    entering_messages,
    grown,
    read_prompt,
    read_static,
    strips_thinking,
    with_automatic,
    without_old_thinking,
)
from scrimp.core.read_blocks import SUMMARY, first_image, steps_of
from scrimp.core.settings import CacheSettings, cache_settings
from scrimp.core.tokens.estimator import Measured, Settings, read_settings
from scrimp.core.trunks import (
    UNMEASURED,
    Frame,
    Kept,
    Trunk,
    longest_of,
    name_of,
    payload_of,
    same_objects,
)
from scrimp.core.worst_parts import look_on
from scrimp.core.worst_seen import Seen
from scrimp.wire.bodies import SharedBody
from scrimp.wire.request import Body, message_blocks

__all__ = ["Read", "ReadingMemory"]

_MOST_BYTES = 48 * 1024 * 1024
_FRAMES_MET = 8
"""Frames that are looked for by the objects they were made of: those of the agents at work just now."""
_REPLACED_WITHIN = 4
"""A conversation that a request goes on with is replaced by it, even if its last messages changed."""

_encoder = msgspec.msgpack.Encoder()
_NOT_ENCODED = (TypeError, ValueError, OverflowError, RecursionError)

_FIXED = (
    *("tools", "system", "speed", "tool_choice", "thinking"),
    *("output_config", "output_format", "context_management"),
)
"""What a reading depends on besides the messages."""


class Read(NamedTuple):
    """A request as read. `kept` is what an earlier step of its conversation leaves to measure no more.

    `summed_up` says that it may hold a summary by the API (`compaction`): where it does, it surely does.
    """

    prompt: Prompt
    settings: Settings
    kept: Kept
    trunk: Trunk | None = None
    summed_up: bool = False

    @property
    def asks(self) -> CacheSettings | None:
        """`cache_settings` of the request, where they are known."""
        return None if self.trunk is None else self.trunk.frame.asks

    @property
    def looked(self) -> Seen | None:
        """What `look_at_messages` finds in the messages, where that is known."""
        return self.trunk.looked[-1][1] if self.trunk is not None and self.trunk.looked else None

    @property
    def opening(self) -> Digest | None:
        """The chain where the messages begin (as if they showed no image): all that is rendered but them."""
        return None if self.trunk is None else self.trunk.frame.states[0]

    @property
    def said(self) -> bytes | None:
        """All messages, their texts as UTF-8, where they were encoded."""
        return None if self.trunk is None else self.trunk.payload

    def remember(self, measured: Measured) -> None:
        """Keep how this request was measured, for the next step of its conversation."""
        if self.trunk is not None:
            self.trunk.kept = Kept(len(measured.content), measured)


class _Request(NamedTuple):
    """A request that is being read."""

    frame: Frame
    first: bytes
    payload: bytes | None
    messages: list[Any]


class ReadingMemory:
    """The conversations read lately, at most so many bytes of them; the least recent go first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._weight = 0
        self._frames: dict[bytes, Frame] = {}
        self._met: deque[Frame] = deque(maxlen=_FRAMES_MET)
        self._recent: OrderedDict[int, Trunk] = OrderedDict()

    @property
    def weight(self) -> int:
        """Bytes remembered, about."""
        return self._weight

    def read(self, body: Body, reading: Reading, spelling: str = "") -> Read:
        """`body` as `reading`'s model sees it, for the estimator of the model spelled `spelling`.

        Raises `RequestError` when `body` is not a Messages request.
        """
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return _afresh(body, reading)
        shared = isinstance(body, SharedBody)
        said = list(map(body.get, _FIXED))
        try:
            first = name_of(_encoder.encode(messages[0]))
            frame = self._frame_met(said, reading, spelling) if shared else None
            if frame is None:
                key = _encoder.encode((reading, spelling, said))
                frame = self._frames.get(key) or _frame(key, body, reading, spelling)
            alike = frame.trunks.get(first, ())
            same = same_objects(alike, messages) if shared else None
            payload = payload_of(messages) if same is None and (alike or not shared) else None
            before, common = same or longest_of(alike, payload or b"")
            if before is not None and common == len(messages) == len(before.bounds):
                trunk = before  # the very same again
            else:
                trunk = _grown(_Request(frame, first, payload, messages), before, common)
        except _NOT_ENCODED:  # no JSON, half of a surrogate pair, an integer beyond 64 bits: rare
            return _afresh(body, reading)
        if shared:
            trunk.shared, frame.said = messages, said
        if trunk is before:
            self._recent.move_to_end(id(trunk))
        else:
            self._remember(trunk, before, common)
        return Read(with_automatic(trunk.prompt, body), frame.settings, trunk.kept, trunk, trunk.summed_up)

    def _frame_met(self, said: Sequence[Any], reading: Reading, spelling: str) -> Frame | None:
        """The frame of a request, where it is known by the very objects that it was made of."""
        for frame in self._met:
            same = frame.reading is reading and frame.spelling == spelling and frame.said
            if same and all(map(is_, frame.said, said)):
                return frame
        return None

    def _remember(self, trunk: Trunk, before: Trunk | None, common: int) -> None:
        if before is not None and common >= len(before.bounds) - _REPLACED_WITHIN:
            self._forget(before)
        elif before is not None:
            self._recent.move_to_end(id(before))
        frame, weight = trunk.frame, trunk.weight
        room = self._most - weight - frame.weight
        if room < 0:
            return
        while self._recent and self._weight > room:
            self._forget(next(iter(self._recent.values())))
        if frame.key not in self._frames:
            self._frames[frame.key] = frame
            self._weight += frame.weight
            self._met.append(frame)
        frame.trunks.setdefault(trunk.first, []).append(trunk)
        self._recent[id(trunk)] = trunk
        self._weight += weight

    def _forget(self, trunk: Trunk) -> None:
        del self._recent[id(trunk)]
        self._weight -= trunk.weight
        frame = trunk.frame
        alike = frame.trunks[trunk.first]
        alike.remove(trunk)
        if not alike:
            del frame.trunks[trunk.first]
        if not frame.trunks:
            del self._frames[frame.key]
            self._weight -= frame.weight
            if frame in self._met:
                self._met.remove(frame)


def _afresh(body: Body, reading: Reading) -> Read:
    prompt = read_prompt(body, reading)
    return Read(
        prompt,
        read_settings(body),
        UNMEASURED,
        summed_up=any(block.kind == SUMMARY for block in prompt.blocks),
    )


def _frame(key: bytes, body: Body, reading: Reading, spelling: str) -> Frame:
    static = read_static(body, reading)
    plain, pictured = (entering_messages(static, body, reading, image=image) for image in (False, True))
    return Frame(
        key,
        reading,
        spelling,
        static,
        settings=read_settings(body),
        asks=cache_settings(body, model=reading.key, default_effort=reading.default_effort),
        strips=strips_thinking(body, reading),
        states=(plain, pictured),
    )


def _grown(request: _Request, before: Trunk | None, common: int) -> Trunk:
    """The first `common` messages as they were read `before`, the others read now."""
    frame, _, payload, messages = request
    reading, static = frame.reading, frame.static
    base = before or Trunk(frame, b"", static.prompt, payload)
    seen = message_blocks(messages, common)
    kinds = {block.kind for block in seen}
    start, new = base.positions[common - 1] if common else len(static.prompt), range(common, len(messages))
    steps = steps_of(seen, new, start, base.inputs[common - 1] if common else -1)
    inputs = base.inputs[:common] + steps.inputs
    if frame.strips:
        settled = common if before is None else _settled(base.inputs[-1], inputs[-1], common)
        if settled < common:
            return _grown(request, before, settled)
        if not kinds.isdisjoint(THINKING):
            seen = without_old_thinking(seen, inputs[-1])
            steps = steps_of(seen, new, start, -1)
    shown = first_image(seen, start) if "image" in kinds else -1
    image = base.image if 0 <= base.image < start else shown
    pictured = static.image or image >= 0
    if common and reading.images_break_messages and pictured != (static.image or base.image >= 0):
        return _grown(request, None, 0)  # another chain altogether
    state = base.prompt.prefixes[start - 1] if start > len(static.prompt) else frame.states[pictured]
    return Trunk(
        *request[:2],
        prompt=grown(base.prompt, start, state, seen, reading),
        payload=payload,
        bounds=base.bounds[:common] + _bounds(messages, common, base.bounds),
        positions=base.positions[:common] + steps.positions,
        inputs=inputs,
        image=image,
        looked=look_on(messages, base.looked, common),
        summed_up=base.summed_up or SUMMARY in kinds,
        kept=base.kept if base.kept.positions <= start else Kept(start, base.kept.measured),
    )


def _settled(last_input_before: int, last_input_now: int, common: int) -> int:
    """How many messages are seen as before: a new input makes older models forget earlier thinking."""
    if last_input_before == last_input_now:
        return common
    return min(common, min(last_input_before, last_input_now) + 1)


def _bounds(messages: list[Any], common: int, before: list[int]) -> list[int]:
    """For each message from `common` on, the bytes up to its end."""
    start = before[common - 1] if common else 0
    return [start := start + len(_encoder.encode(message)) for message in messages[common:]]
