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
from typing import Any

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
from scrimp.core.read_blocks import SUMMARY, first_image, positions_of, read_on
from scrimp.core.settings import CacheSettings, cache_settings
from scrimp.core.tokens.estimator import Measured, Settings, read_settings
from scrimp.core.trunks import (
    UNMEASURED,
    Frame,
    Kept,
    Trunk,
    encoded,
    longest_of,
    name_of,
    same_objects,
)
from scrimp.core.worst_parts import are_plain, look_on
from scrimp.core.worst_seen import Seen
from scrimp.wire.bodies import SharedBody
from scrimp.wire.request import Body

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


class Read(msgspec.Struct, frozen=True, gc=False):
    """A request as read. `kept` is what an earlier step of its conversation leaves to measure no more.

    `summed_up` says that it may hold a summary by the API (`compaction`): where it does, it surely does.
    `said` are all messages, their texts as UTF-8, where they were encoded; `looked` is what
    `look_at_messages` finds in them, where that is known, and `plain` says that they surely `are_plain`.
    """

    prompt: Prompt
    settings: Settings
    kept: Kept
    trunk: Trunk | None = None
    summed_up: bool = False
    said: bytes | None = None
    looked: Seen | None = None
    plain: bool = False

    @property
    def asks(self) -> CacheSettings | None:
        """`cache_settings` of the request, where they are known."""
        return None if self.trunk is None else self.trunk.frame.asks

    @property
    def opening(self) -> Digest | None:
        """The chain where the messages begin (as if they showed no image): all that is rendered but them."""
        return None if self.trunk is None else self.trunk.frame.states[0]

    def remember(self, measured: Measured) -> None:
        """Keep how this request was measured, for the next step of its conversation."""
        if self.trunk is not None:
            self.trunk.kept = Kept(len(measured.content), measured)


class _Request(msgspec.Struct, frozen=True, gc=False):
    """A request that is being read. `parts` are its messages, each encoded, where that had to be."""

    frame: Frame
    first: bytes
    messages: list[Any]
    parts: list[bytes] | None
    payload: bytes | None


class ReadingMemory:
    """The conversations read lately, at most so many bytes of them; the least recent go first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._weight = 0
        self._frames: dict[bytes, Frame] = {}
        self._met: deque[Frame] = deque(maxlen=_FRAMES_MET)
        self._recent: OrderedDict[int, Trunk] = OrderedDict()
        self._begun: dict[int, Trunk] = {}

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
        shared = body.__class__ is SharedBody
        said = list(map(body.get, _FIXED))
        try:
            frame = self._frame_met(said, reading, spelling) if shared else None
            if frame is None:
                key = _encoder.encode((reading, spelling, said))
                frame = self._frames.get(key) or _frame(key, body, reading, spelling)
                if shared and frame.trunks and frame not in self._met:
                    self._met.append(frame)
            before = self._begun.get(id(messages[0])) if shared else None
            if before is not None and before.frame is frame and before.goes_on(messages):
                request, common = _Request(frame, before.first, messages, None, None), len(before.bounds)
            else:
                request, before, common = _looked_for(frame, messages, shared=shared)
            if before is not None and common == len(messages) == len(before.bounds):
                trunk = before  # the very same again
                self._recent.move_to_end(id(trunk))
            else:
                trunk = _grown(request, before, common)
                self._remember(trunk, before, common)
        except _NOT_ENCODED:  # no JSON, half of a surrogate pair, an integer beyond 64 bits: rare
            return _afresh(body, reading)
        if shared:
            frame.said = said
            self._share(trunk, messages)
        prompt, looked = trunk.prompt, trunk.looked
        if "cache_control" in body:
            prompt = with_automatic(prompt, body)
        found = looked[-1][1] if looked else None
        known = trunk.kept, trunk, trunk.summed_up, trunk.payload, found, trunk.plain
        return Read(prompt, frame.settings, *known)

    def _frame_met(self, said: Sequence[Any], reading: Reading, spelling: str) -> Frame | None:
        """The frame of a request, where it is known by the very objects that it was made of."""
        for frame in self._met:
            same = frame.reading is reading and frame.spelling == spelling and frame.said
            if same and all(map(is_, frame.said, said)):
                return frame
        return None

    def _share(self, trunk: Trunk, messages: list[Any]) -> None:
        """Nobody will ever change these, the messages of a conversation."""
        trunk.shared = messages
        if id(trunk) in self._recent:
            begun = id(messages[0])
            if trunk.begun != begun:
                self._share_no_more(trunk)
                trunk.begun = begun
            self._begun[begun] = trunk

    def _share_no_more(self, trunk: Trunk) -> None:
        if self._begun.get(trunk.begun) is trunk:
            del self._begun[trunk.begun]

    def _remember(self, trunk: Trunk, before: Trunk | None, common: int) -> None:
        """Keep a conversation as it is now, which was `before` or has so many messages from there."""
        if trunk is before:
            self._weight -= trunk.counted
            self._weight += trunk.weighed()
            self._recent.move_to_end(id(trunk))
            while self._weight > self._most:
                self._forget(next(iter(self._recent.values())))
            return
        if before is not None and common >= len(before.bounds) - _REPLACED_WITHIN:
            self._forget(before)
        elif before is not None:
            self._recent.move_to_end(id(before))
        frame, weight = trunk.frame, trunk.weighed()
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
        self._share_no_more(trunk)
        self._weight -= trunk.counted
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
    summed_up = any(block.kind == SUMMARY for block in prompt.blocks)
    return Read(prompt, read_settings(body), UNMEASURED, summed_up=summed_up)


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


def _looked_for(frame: Frame, messages: list[Any], *, shared: bool) -> tuple[_Request, Trunk | None, int]:
    """A request, the conversation that it goes on with, and how many messages it has from there."""
    parts = None if shared else encoded(messages)
    first = name_of(_encoder.encode(messages[0]) if parts is None else parts[0])
    alike = frame.trunks.get(first, ())
    before, common = same_objects(alike, messages) if shared else (None, 0)
    if parts is None and before is None and alike:
        parts = encoded(messages)
    payload = None if parts is None else b"".join(parts)
    if payload is not None and alike:
        before, common = longest_of(alike, payload)
    return _Request(frame, first, messages, parts, payload), before, common


def _grown(request: _Request, before: Trunk | None, common: int) -> Trunk:
    """The first `common` messages as they were read `before`, the others read now.

    A conversation that goes on with all that it said is the same one, only longer.
    """
    frame, messages = request.frame, request.messages
    reading, static = frame.reading, frame.static
    base = before or Trunk(frame, request.first, static.prompt)
    opening, asked = len(static.prompt.blocks), -1
    start = opening
    if common:
        start, asked = base.positions[common - 1], base.inputs[common - 1]
    new = read_on(messages, common, start, asked)
    seen, positions = new.blocks, new.positions
    if frame.strips:
        asked = new.inputs[-1] if new.inputs else asked
        settled = common if before is None else _settled(base.inputs[-1], asked, common)
        if settled < common:
            return _grown(request, before, settled)
        if not new.kinds.isdisjoint(THINKING):
            seen = without_old_thinking(seen, asked)
            positions = positions_of(seen, range(common, len(messages)), start)
    shown = first_image(seen, start) if "image" in new.kinds else -1
    image = base.image if 0 <= base.image < start else shown
    pictured = static.image or image >= 0
    if common and reading.images_break_messages and pictured != (static.image or base.image >= 0):
        return _grown(request, None, 0)  # another chain altogether
    state = base.prompt.prefixes[start - 1] if start > opening else frame.states[pictured]
    prompt = grown(base.prompt, start, state, seen, reading)
    looked = look_on(messages, base.looked, common)
    plain = base.plain and not looked and are_plain(seen)
    parts = request.parts
    bounds = _bounds(base, common, encoded(messages[common:]) if parts is None else parts[common:])
    # From here on nothing fails: what is kept is whole, or as it was.
    trunk = base if common == len(base.bounds) else _begun(base, request.first, common, start)
    trunk.prompt, trunk.payload, trunk.shared = prompt, request.payload, ()
    trunk.bounds += bounds
    trunk.positions += positions
    trunk.inputs += new.inputs
    trunk.image, trunk.looked, trunk.plain = image, looked, plain
    trunk.summed_up = base.summed_up or SUMMARY in new.kinds
    return trunk


def _begun(base: Trunk, first: bytes, common: int, start: int) -> Trunk:
    """Another conversation with the first `common` messages of `base`, which end before position `start`."""
    kept = base.kept if base.kept.positions <= start else Kept(start, base.kept.measured)
    return Trunk(
        base.frame,
        first,
        base.prompt,
        None,
        base.bounds[:common],
        base.positions[:common],
        base.inputs[:common],
        kept=kept,
    )


def _settled(last_input_before: int, last_input_now: int, common: int) -> int:
    """How many messages are seen as before: a new input makes older models forget earlier thinking."""
    if last_input_before == last_input_now:
        return common
    return min(common, min(last_input_before, last_input_now) + 1)


def _bounds(base: Trunk, common: int, parts: list[bytes]) -> list[int]:
    """For each of these encoded messages, the first of which is number `common`, the bytes up to its end."""
    end, bounds = base.bounds[common - 1] if common else 0, []
    for part in parts:
        end += len(part)
        bounds.append(end)
    return bounds
