"""Cache markers spliced into the bytes of a request, everything else left byte for byte as it came.

Key order, whitespace, escapes, number formats, duplicate keys and fields nobody knows survive because
nothing is decoded and encoded again: the offsets of the edited blocks are found, and patches written there.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise, takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from scrimp.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from scrimp.wire.markers import TTL, MarkerEdit, Path

__all__ = ["Layout", "Span", "sections_before", "splice_markers", "spliced_parts", "unmarked_of"]

_elements = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_name = msgspec.json.Decoder(str)

_WHITESPACE = b" \t\n\r"
_LIST = ord("[")
_KEY = re.compile(rb'[ \t\n\r,]*("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*:[ \t\n\r]*')
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]')
_ROLE_AND_BLOCKS = re.compile(
    rb'\{[ \t\n\r]*"role"[ \t\n\r]*:[ \t\n\r]*"[a-z]+"[ \t\n\r]*,[ \t\n\r]*"content"[ \t\n\r]*:[ \t\n\r]*\['
)
"""What nearly every message begins with."""
_NUMBER_OR_NAME = re.compile(rb"[^ \t\n\r,\]}]+")

_TTL = {"5m": b'"5m"', "1h": b'"1h"'}
_FRESH = {"5m": b'{"type":"ephemeral"}', "1h": b'{"type":"ephemeral","ttl":"1h"}'}


Span: TypeAlias = tuple[int, int]
"""Where a value begins and ends."""


class Layout(NamedTuple):
    """Where the messages of a body lie in its bytes, so that nobody has to look for them again.

    `start` is just behind the bracket that opens them, `close` at the one that closes them; `ends` has for
    each message how far behind `start` it ends. `sections` has the places of the tools and system blocks that
    come before the messages, and `unmarked` those of them that surely have no marker.
    """

    start: int
    close: int
    ends: Sequence[int]
    sections: Mapping[str, Mapping[str | int, Span]] = {}
    unmarked: Container[Span | None] = ()


class _Patch(NamedTuple):
    """Bytes that take the place of `start:end`."""

    start: int
    end: int
    text: bytes


class _Member(NamedTuple):
    """One `key: value` of an object by its offsets; `key` is where the key's literal begins."""

    name: str
    key: int
    start: int
    end: int


def splice_markers(raw: bytes, edits: Sequence[MarkerEdit], layout: Layout | None = None) -> bytes:
    """`raw` with each edit made, in one piece; the identical object when nothing has to change.

    See `spliced_parts`.
    """
    parts = spliced_parts(raw, edits, layout)
    return raw if parts[0] is raw else b"".join(parts)


def spliced_parts(
    raw: bytes, edits: Sequence[MarkerEdit], layout: Layout | None = None
) -> list[bytes | memoryview]:
    """`raw` with each edit made, as what is to be put one behind the other: none of it was copied.

    `raw` itself where nothing has to change. A new marker becomes the last member of its block; string
    content that gets one becomes a list of one text block around the very same literal. A marker that is
    there already keeps its other fields, and one that says the same lifetime stays as it is. Of several
    edits of one path the last counts; where keys repeat in an object the last one counts, as JSON parsers
    have it. `layout` is where the messages of `raw` lie, where that is known (`bodies`): the messages
    between are then not looked at.

    Raises RequestError when `raw` is not JSON or a path leads to no block: send the untouched body then.
    """
    if not edits:
        return [raw]
    wanted = {edit.path: edit.ttl for edit in edits}
    places = _Places(raw, layout)
    try:
        # Inner values first: where a value and one inside of it end together, so do the patches.
        paths = sorted(wanted, key=len, reverse=True)
        patches = [patch for path in paths for patch in _patches(places, path, wanted[path])]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"request body is not JSON that can be edited: {error}") from None
    if not patches:
        return [raw]
    patches.sort(key=itemgetter(0))
    view = memoryview(raw)  # its slices copy nothing
    parts: list[bytes | memoryview] = []
    done = 0
    for patch in patches:
        parts += (view[done : patch.start], patch.text)
        done = patch.end
    parts.append(view[done:])
    return parts


class _Places:
    """Where the values of a body lie, each looked for once. What is asked for raises RequestError if missing.

    `layout` is where its messages lie, if known. A string that stands for a list of blocks has itself inside.
    """

    __slots__ = ("_inside", "_texts", "_whole", "layout", "raw")

    def __init__(self, raw: bytes, layout: Layout | None) -> None:
        self.raw = raw
        self.layout = layout
        self._whole = len(raw) - len(raw.lstrip(_WHITESPACE)), len(raw.rstrip(_WHITESPACE))
        self._texts: set[Path] = set()
        self._inside: dict[Path, Mapping[str | int, Span]] = {}
        if layout is not None:
            self._inside = {(section,): elements for section, elements in layout.sections.items()}

    def span(self, path: Path) -> Span:
        """Where the value at `path` begins and ends."""
        if not path:
            return self._whole
        above, step = path[:-1], path[-1]
        if self.layout is not None and above == ("messages",):
            found = _message_span(self.raw, self.layout, step)
        else:
            inside = self._inside.get(above)
            if inside is None:
                inside = self._inside[above] = self._found(above)
            found = inside.get(step)
        if found is None:
            raise RequestError(f"{_dotted(path)}: not in this request")
        return found

    def members(self, path: Path) -> list[_Member]:
        """The members of the object at `path`."""
        start, end = self.span(path)
        if self.layout is not None and not path:
            return _members_around(self.raw, start, end, self.layout)
        return _members(self.raw, start, end)

    def is_text(self, path: Path) -> bool:
        """Whether the value at `path`, which was looked for, is a string that stands for a list of blocks."""
        return path[:-1] in self._texts

    def is_unmarked(self, path: Path) -> bool:
        """Whether the block at `path` surely has no marker."""
        span = self.span(path)
        return (self.layout is not None and span in self.layout.unmarked) or _is_unmarked(self.raw, *span)

    def _found(self, path: Path) -> Mapping[str | int, Span]:
        """What lies in the value at `path`."""
        if path[2:] == ("content",):
            usual = _usual_content(self.raw, *self.span(path[:2]))
            if usual is not None:
                return usual
        start, end = self.span(path)
        match self.raw[start : start + 1]:
            case b"[":
                return _spans(self.raw, start, end)
            case b"{":
                return {member.name: (member.start, member.end) for member in self.members(path)}
            case b'"' if path == ("system",) or len(path) == 3:
                self._texts.add(path)
                return {0: (start, end)}
        raise RequestError(f"{_dotted(path)}: has no blocks, so none of them can carry cache_control")


def _patches(places: _Places, path: Path, ttl: TTL | None) -> Iterable[_Patch]:
    """The patches that mark the block at `path` with `ttl`, or unmark it."""
    if not _may_be_block(path):
        raise RequestError(f"{_dotted(path)}: no place in a request that can carry cache_control")
    start, end = places.span(path)
    if places.is_text(path):
        return _wrapped(start, end, ttl)
    if not places.raw.startswith(b"{", start):
        raise RequestError(f"{_dotted(path)}: not a block, so it cannot carry cache_control")
    if path and ttl and places.is_unmarked(path):
        return (_fresh(places.raw, start, end, ttl),)
    return _remarked(places.raw, start, places.members(path), ttl)


def _may_be_block(path: Path) -> bool:
    match path:
        case () | ("tools" | "system", int()) | ("messages", int(), "content", int()):
            return True
        case ("messages", int(), "content", int(), "content", int()):
            return True
        case _:
            return False


def sections_before(head: bytes) -> Mapping[str, Mapping[str | int, Span]]:
    """Where the tools and system blocks of a body lie, whose bytes up to its first message are `head`."""
    found: dict[str, Mapping[str | int, Span]] = {}
    body = head + b"]}"
    for member in _members(body, len(body) - len(body.lstrip(_WHITESPACE)), len(body)):
        if member.name in ("tools", "system"):
            found.pop(member.name, None)  # of a repeated key the last one counts
            if body[member.start] == _LIST:
                found[member.name] = _spans(body, member.start, member.end)
    return found


def unmarked_of(head: bytes, sections: Mapping[str, Mapping[str | int, Span]]) -> frozenset[Span]:
    """The elements of `sections` that surely have no marker."""
    spans = (span for elements in sections.values() for span in elements.values())
    return frozenset(span for span in spans if _is_unmarked(head, *span))


def _members_around(raw: bytes, start: int, end: int, layout: Layout) -> list[_Member]:
    """The members of a whole body, found without reading its messages."""
    cut, gap = layout.start - start, layout.close - layout.start
    found = _members(raw[start : layout.start] + raw[layout.close : end], 0, end - start - gap)
    return [
        _Member(name, *(start + place + (gap if place >= cut else 0) for place in places))
        for name, *places in found
    ]


def _message_span(raw: bytes, layout: Layout, step: str | int) -> tuple[int, int] | None:
    if not isinstance(step, int) or not 0 <= step < len(layout.ends):
        return None
    first = layout.start + (layout.ends[step - 1] if step else 0)
    while raw[first] in b", \n\t\r":
        first += 1
    return first, layout.start + layout.ends[step]


def _is_unmarked(raw: bytes, start: int, end: int) -> bool:
    """Whether the object at `start:end` surely has no marker; keys can be written with escapes."""
    return raw.find(b"cache_control", start, end) < 0 and raw.find(b"\\u00", start, end) < 0


def _fresh(raw: bytes, start: int, end: int, ttl: TTL) -> _Patch:
    """A marker behind the last member of an object that has none."""
    place = end - 1
    while raw[place - 1] in _WHITESPACE:
        place -= 1
    comma, place = (b",", place) if place > start + 1 else (b"", start + 1)
    return _Patch(place, place, comma + b'"cache_control":' + _FRESH[ttl])


def _wrapped(start: int, end: int, ttl: TTL | None) -> Iterator[_Patch]:
    """The patches that make string content a list of one marked text block."""
    if ttl is not None:
        yield _Patch(start, start, b'[{"type":"text","text":')
        yield _Patch(end, end, b',"cache_control":' + _FRESH[ttl] + b"}]")


def _remarked(raw: bytes, start: int, members: list[_Member], ttl: TTL | None) -> Iterator[_Patch]:
    """The patches that mark the object at `start` with `ttl`, or unmark it."""
    markers = [member for member in members if member.name == "cache_control"]
    if ttl is None:
        yield from _unmarked(members)
    elif markers:
        marker = markers[-1]
        text = _marker(raw, marker, ttl)
        if text != raw[marker.start : marker.end]:
            yield _Patch(marker.start, marker.end, text)
    else:
        place, comma = (members[-1].end, b",") if members else (start + 1, b"")
        yield _Patch(place, place, comma + b'"cache_control":' + _FRESH[ttl])


def _unmarked(members: list[_Member]) -> Iterator[_Patch]:
    """Removes every marker, each with the comma before it; those that lead, with the comma after them."""
    leading = len(list(takewhile(lambda member: member.name == "cache_control", members)))
    if leading == len(members):
        if members:
            yield _Patch(members[0].key, members[-1].end, b"")
        return
    if leading:
        yield _Patch(members[0].key, members[leading].key, b"")
    for before, member in pairwise(members[leading:]):
        if member.name == "cache_control":
            yield _Patch(before.end, member.end, b"")


def _marker(raw: bytes, marker: _Member, ttl: TTL) -> bytes:
    """The value of an existing marker with `ttl`, its fields that nobody knows carried over."""
    if raw[marker.start : marker.start + 1] != b"{":
        return _FRESH[ttl]
    members = _members(raw, marker.start, marker.end)
    value = {member.name: raw[member.start : member.end] for member in members}
    if value.get("type") == b'"ephemeral"' and value.get("ttl", _TTL["5m"]) == _TTL[ttl]:
        return raw[marker.start : marker.end]
    fields = {member.name: raw[member.key : member.end] for member in members}
    fields["type"] = b'"type":"ephemeral"'
    fields.pop("ttl", None)
    if ttl == "1h":
        fields["ttl"] = b'"ttl":"1h"'
    return b"{" + b",".join(fields.values()) + b"}"


def _usual_content(raw: bytes, start: int, end: int) -> Mapping[str | int, Span] | None:
    """The blocks of a message that is its role, then a list of blocks, and nothing else; None for others."""
    opening = _ROLE_AND_BLOCKS.match(raw, start, end)
    if opening is not None:
        with suppress(msgspec.DecodeError):  # more comes behind the list
            return _spans(raw, opening.end() - 1, end - 1)
    return None


def _spans(raw: bytes, start: int, end: int) -> dict[str | int, tuple[int, int]]:
    """Where each element of the list at `start:end` lies: only whitespace and commas are between them."""
    spans: dict[str | int, tuple[int, int]] = {}
    position = start + 1
    for index, element in enumerate(_elements.decode(memoryview(raw)[start:end])):
        while raw[position] in b", \n\t\r":
            position += 1
        spans[index] = position, (position := position + len(element))
    return spans


def _members(raw: bytes, start: int, end: int) -> list[_Member]:
    """The members of the object at `start:end`, in order, repeated keys included.

    The decoder gives the length of each value, so that keys alone have to be searched for. Of a repeated
    key it knows only the last value: where the bytes are not those, the value is walked through instead.
    """
    values = _fields.decode(memoryview(raw)[start:end])
    members: list[_Member] = []
    position = start + 1
    while key := _KEY.match(raw, position, end):
        literal = key[1]
        name = _name.decode(literal) if b"\\" in literal else literal[1:-1].decode()
        first = key.end()
        value = bytes(values[name])
        position = first + len(value)
        if not raw.startswith(value, first) or raw[position] not in b",} \t\n\r":
            position = _walked(raw, first)
        members.append(_Member(name, key.start(1), first, position))
    return members


def _walked(raw: bytes, start: int) -> int:
    """Where the value that begins at `start` ends; the bytes are known to be JSON."""
    if raw[start] not in b'"[{':
        scalar = _NUMBER_OR_NAME.match(raw, start)
        return scalar.end() if scalar else start
    depth = 0
    for token in _TOKEN.finditer(raw, start):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(raw)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path)) or "request body"
