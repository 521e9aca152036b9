"""Request bodies decoded from their bytes, so that the next step of a conversation costs what is new in it.

Every request carries its whole conversation. What its messages begin with is mostly, byte for byte, what an
earlier body had: those messages are taken over as the objects they were decoded to, and only the bytes around
them are decoded. What comes out equals what `loads` gives; nobody may change it, since later bodies share it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from scrimp.wire.loads import loads
from scrimp.wire.splice import Layout, Span, sections_before, unmarked_of

__all__ = ["Bodies", "Decoded", "SharedBody"]

V = TypeVar("V")

_MOST_BYTES = 32 * 1024 * 1024
_SHORT = 8 * 1024
"""Bytes up to which a body is decoded whole: that costs less than looking for it."""
_FEW, _MOST_FEW_BYTES = 64, 8 * 1024 * 1024
_LONG = 16 * 1024
"""New bytes from which on it pays to guess where messages begin."""
_SMALL = 256
"""Bytes of a field up to which it is decoded each time."""
_MESSAGE_BYTES = 300
"""What a message takes beside its text, once it is decoded: about."""
_TRIED = 8
"""Conversations with the same beginning that are compared with a body."""
_BEGINNING = 256
_REPLACED_WITHIN = 4
"""A conversation that a body goes on with is replaced by it, even if its last messages changed."""

_MESSAGES = b'"messages"'
_LIST = re.compile(rb"[ \t\n\r]*:[ \t\n\r]*\[")
_SPACES = b" \t\n\r"
_SPACE = re.compile(rb"[ \t\n\r]*+")
_MESSAGE = b'{"role":'
_NEXT = b"}," + _MESSAGE
_STAND_IN = "messages to come"
_OPENING = b'{"%b":[' % _STAND_IN.encode()
"""Put before the part of a body that is decoded: what goes on where the known messages end."""


class SharedBody(dict[str, Any]):
    """A body whose messages are shared with other bodies: a message that is the same object says the same.

    So do all messages before it, which are then the same objects as well.
    """

    __slots__ = ()


class Decoded(msgspec.Struct, frozen=True):
    """A JSON value, and where its messages lie in its bytes, where that is known."""

    value: object
    layout: Layout | None = None


class _Rest(msgspec.Struct):
    """The new messages of a body, each as its bytes."""

    new: list[msgspec.Raw] = msgspec.field(name=_STAND_IN)


class _Few(Generic[V]):
    """A few things by the bytes they were read from; the oldest go first."""

    def __init__(self) -> None:
        self.known: dict[bytes, V] = {}
        self.weight = 0

    def keep(self, raw: bytes, value: V) -> V:
        """Remember what `raw` says."""
        self.known[raw] = value
        self.weight += len(raw)
        while len(self.known) > _FEW or self.weight > _MOST_FEW_BYTES:
            oldest = next(iter(self.known))
            del self.known[oldest]
            self.weight -= len(oldest)
        return value


_value = msgspec.json.Decoder()
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_pieces = msgspec.json.Decoder(_Rest)


class _Head(msgspec.Struct, frozen=True):
    """What comes before the messages: its length, its fields, and where tools and system blocks lie in it.

    `unmarked` are those of them that surely have no marker. `once` are the fields that must not come again
    behind the messages.
    """

    length: int
    fields: dict[str, Any]
    sections: Mapping[str, Mapping[str | int, Span]]
    unmarked: frozenset[Span]
    once: frozenset[str]


class _Known(msgspec.Struct, frozen=True, eq=False):
    """A body decoded before: its bytes, and the messages in them.

    `beginning` is what its messages begin with, by which it is looked for; `weight` are the bytes it takes.
    """

    raw: bytes
    layout: Layout
    messages: list[Any]
    beginning: bytes
    weight: int


class _Part(msgspec.Struct, frozen=True):
    """What of a body is left to decode: all from `start` on, which follows its first `common` messages.

    `beginning` is what its messages begin with.
    """

    beginning: bytes
    before: _Known | None
    common: int
    start: int


class _New(msgspec.Struct, frozen=True):
    """The messages from a place on, where each ends after all of them began, and where the list is closed."""

    messages: list[Any]
    ends: list[int]
    close: int


class Bodies:
    """The bodies decoded lately, at most so many bytes of them; the least recent go first."""

    def __init__(self, most_bytes: int = _MOST_BYTES, *, short: int = _SHORT, long: int = _LONG) -> None:
        """Bodies of `short` bytes at most are decoded whole; of more than `long` the messages are guessed."""
        self._most = most_bytes
        self._short, self._long = short, long
        self._weight = 0
        self._heads, self._tails = _Few[_Head](), _Few[dict[str, Any]]()
        self._values = _Few[Any]()
        self._recent: OrderedDict[int, _Known] = OrderedDict()
        self._beginning: dict[bytes, list[_Known]] = {}

    @property
    def weight(self) -> int:
        """Bytes remembered, about; what comes before the messages is beside it."""
        return self._weight

    def read(self, raw: bytes) -> Decoded:
        """The JSON value in `raw`; raises ValueError when it holds anything else."""
        known = None
        if len(raw) > self._short:
            try:
                known = self._read(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                known = None  # what is no JSON, or only the tolerant way takes, goes the long way
        return Decoded(loads(raw)) if known is None else known

    def _read(self, raw: bytes) -> Decoded | None:
        """The body; None where it has no list of messages, or two, or is otherwise odd.

        Raises what msgspec raises.
        """
        head = self._head(raw)
        if head is None:
            return None
        start = head.length
        part = self._part(raw, start)
        before, common = part.before, part.common
        new = self._guessed(raw, part.start, start) if len(raw) - part.start > self._long else None
        new = new or _new(raw, part.start, start)
        if new is None:
            return None
        ends = [*before.layout.ends[:common], *new.ends] if before else new.ends
        messages = [*before.messages[:common], *new.messages] if before else new.messages
        position = new.close
        rest = self._rest(raw[position + 1 :])
        if not rest.keys().isdisjoint(head.once):
            return None
        layout = Layout(start, position, ends, head.sections, head.unmarked)
        weight = len(raw) + _MESSAGE_BYTES * len(messages)
        self._remember(_Known(raw, layout, messages, part.beginning, weight), before, common)
        body = SharedBody(head.fields)
        body["messages"] = messages
        body.update(rest)
        return Decoded(body, layout)

    def _guessed(self, raw: bytes, start: int, begun: int) -> _New | None:
        """What `_new` gives, for less: all is read once. None where messages are not as most are.

        Where a message begins like that it may also be a part of one: then what is before it is no JSON.
        """
        close = self._close(raw)
        if close < 0 or raw[start : start + len(_MESSAGE)] != _MESSAGE or raw[close - 1 : close] != b"}":
            return None
        view, decode, find = memoryview(raw), _value.decode, raw.find
        messages, ends = [], []
        try:
            while start < close:
                end = find(_NEXT, start, close) + 1 or close
                messages.append(decode(view[start:end]))
                ends.append(end - begun)
                start = end + 1
        except msgspec.DecodeError:
            return None
        return _New(messages, ends, close)

    def _close(self, raw: bytes) -> int:
        """Where the messages end, if what follows them was met before; -1 where it was not."""
        longest = 0
        for tail in self._tails.known:
            if len(tail) > longest and raw.endswith(tail):
                longest = len(tail)
        close = len(raw) - longest - 1
        return close if longest and raw[close : close + 1] == b"]" else -1

    def _head(self, raw: bytes) -> _Head | None:
        """All before the first message, decoded; raises where that is not the first message of the body."""
        for known, found in self._heads.known.items():  # nearly all differ within a few bytes, or not at all
            if raw.startswith(known):
                return found
        place = raw.find(_MESSAGES)
        opening = _LIST.match(raw, place + len(_MESSAGES)) if place >= 0 else None
        if opening is None:
            return None
        head = raw[: opening.end()]
        fields = self._read_fields(head + b"]}")
        if fields.pop("messages", None) is None:  # the name stood in another name, or in a text
            return None
        sections = sections_before(head)
        unmarked, once = unmarked_of(head, sections), frozenset({"messages", *sections})
        return self._heads.keep(head, _Head(len(head), fields, sections, unmarked, once))

    def _rest(self, tail: bytes) -> dict[str, Any]:
        """The fields behind the messages."""
        found = self._tails.known.get(tail)
        if found is not None:
            return found
        return self._tails.keep(tail, self._read_fields(b"{" + tail.lstrip(_SPACES).removeprefix(b",")))

    def _read_fields(self, text: bytes) -> dict[str, Any]:
        """The fields of an object; one that was met before, byte for byte, is the very same object again.

        Whoever knows that object need not read it again.
        """
        return {name: self._read_field(bytes(raw)) for name, raw in _fields.decode(text).items()}

    def _read_field(self, raw: bytes) -> Any:
        found = self._values.known.get(raw) if len(raw) > _SMALL else None
        if found is not None:
            return found
        value = _value.decode(raw)
        return self._values.keep(raw, value) if len(raw) > _SMALL else value

    def _part(self, raw: bytes, start: int) -> _Part:
        """What has to be decoded, given the body that has most messages in common with this one."""
        beginning = raw[start : start + _BEGINNING]
        best, common = None, 0
        for known in reversed(self._beginning.get(beginning, ())[-_TRIED:]):
            found = _common(known, raw, start)
            if found > common:
                best, common = known, found
        if best is None:
            return _Part(beginning, None, 0, start)
        end = start + best.layout.ends[common - 1]
        after = _after_space(raw, end)
        if raw[after : after + 1] == b",":
            after = _after_space(raw, after + 1)
            if raw[after : after + 1] == b"]":  # a comma with nothing behind it: no JSON
                raise msgspec.DecodeError("trailing comma")
        elif raw[after : after + 1] != b"]":
            raise msgspec.DecodeError("messages go on without a comma")
        return _Part(beginning, best, common, after)

    def _remember(self, known: _Known, before: _Known | None, common: int) -> None:
        if before is not None and common >= len(before.messages) - _REPLACED_WITHIN:
            self._forget(before)
        elif before is not None:
            self._recent.move_to_end(id(before))
        if known.weight > self._most:
            return
        while self._weight + known.weight > self._most:
            self._forget(next(iter(self._recent.values())))
        self._recent[id(known)] = known
        alike = self._beginning.get(known.beginning)
        if alike is None:
            self._beginning[known.beginning] = [known]
        else:
            alike.append(known)
        self._weight += known.weight

    def _forget(self, known: _Known) -> None:
        del self._recent[id(known)]
        self._weight -= known.weight
        alike = self._beginning[known.beginning]
        if len(alike) > 1:
            alike.remove(known)
        else:
            del self._beginning[known.beginning]


def _new(raw: bytes, start: int, begun: int) -> _New | None:
    """The messages from `start` on, of those that began at `begun`; None where what follows them is odd.

    Raises what msgspec raises.
    """
    view, decode, position = memoryview(raw), _value.decode, _after_space(raw, start)
    messages, ends = [], []
    for piece in _pieces.decode(b"".join((_OPENING, view[start:]))).new:
        end = position + len(piece)
        messages.append(decode(view[position:end]))  # of that very name there may be another list
        ends.append(end - begun)
        position = _after_space(raw, end)
        if raw[position : position + 1] == b",":
            position = _after_space(raw, position + 1)
        elif raw[position : position + 1] != b"]":
            return None
    return _New(messages, ends, position) if raw[position : position + 1] == b"]" else None


def _common(known: _Known, raw: bytes, start: int) -> int:
    """How many leading messages are the same, byte for byte, where `raw` has its own from `start` on."""
    text, there, ends = memoryview(known.raw), known.layout.start, known.layout.ends
    low, high = 0, bisect_right(ends, len(raw) - start)
    tried = high
    while low < high:
        done = ends[low - 1] if low else 0
        if raw.startswith(text[there + done : there + ends[tried - 1]], start + done):
            low = tried
        else:
            high = tried - 1
        tried = (low + high + 1) // 2
    return low


def _after_space(raw: bytes, position: int) -> int:
    if raw[position : position + 1] > b" ":  # nearly always: bodies are seldom written with spaces
        return position
    space = _SPACE.match(raw, position)
    return position if space is None else space.end()
