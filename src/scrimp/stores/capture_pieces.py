"""An exchange taken apart into pieces that other exchanges have too, and put together again.

The pieces of a body are its tools, system blocks, messages and content blocks, in the order the provider
renders them: the requests of a conversation begin with the same pieces. A piece is its JSON, as it was but
for its cache marker, which moves from step to step: markers are kept with the rest of the exchange.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from scrimp.wire.loads import loads

__all__ = ["Kind", "Piece", "Taken", "put_together", "take_apart", "to_json"]

_MARKER = "cache_control"


class Kind(IntEnum):
    """What a piece is of. A message whose content is a list is a head, and a piece for each of its blocks."""

    TOOL = 0
    SYSTEM = 1
    MESSAGE = 2
    HEAD = 3
    BLOCK = 4


_MARKED = (Kind.TOOL, Kind.SYSTEM, Kind.BLOCK)


class Piece(NamedTuple):
    """One piece: what it is a piece of, and its JSON."""

    kind: Kind
    json: bytes


class Taken(NamedTuple):
    """An exchange in pieces: those of its request, those of its answer, and the JSON of the rest."""

    rest: bytes
    request: list[Piece]
    response: list[Piece]


class _Rest(msgspec.Struct):
    """The exchange with null where pieces were cut out. `markers`: piece, place among its keys, value."""

    exchange: Any
    cut: list[str]
    markers: list[tuple[int, int, Any]]
    answered: bool


def take_apart(exchange: Mapping[str, Any]) -> Taken:
    """The pieces of an exchange, and the rest. Raises TypeError for what JSON cannot hold."""
    rest = _Rest({**exchange}, [], [], answered=False)
    request: list[Piece] = []
    response: list[Piece] = []
    body = _body(exchange, "request")
    if body is not None:
        rest.cut = [name for name in ("tools", "system", "messages") if isinstance(body.get(name), list)]
        rest.exchange["request"] = {
            **exchange["request"],
            "body": {**body, **dict.fromkeys(rest.cut)},
        }
        request = [_piece(kind, value, n, rest) for n, (kind, value) in enumerate(_values(body, rest.cut))]
    answer = _body(exchange, "response")
    if answer is not None and isinstance(answer.get("content"), list):
        rest.answered = True
        rest.exchange["response"] = {**exchange["response"], "body": {**answer, "content": None}}
        response = [Piece(Kind.BLOCK, to_json(block)) for block in answer["content"]]
    return Taken(to_json(rest), request, response)


def put_together(taken: Taken) -> dict[str, Any]:
    """The exchange that was taken apart."""
    rest = msgspec.convert(loads(taken.rest), _Rest)
    exchange: dict[str, Any] = rest.exchange
    if rest.cut:
        _fill(exchange["request"]["body"], rest, taken.request)
    if rest.answered:
        exchange["response"]["body"]["content"] = [loads(piece.json) for piece in taken.response]
    return exchange


def to_json(value: Any) -> bytes:
    """JSON that reads back as the same value, lone surrogates and long integers too."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode()


def _body(exchange: Mapping[str, Any], side: str) -> Mapping[str, Any] | None:
    part = exchange.get(side)
    body = part.get("body") if isinstance(part, Mapping) else None
    return body if isinstance(body, Mapping) else None


def _values(body: Mapping[str, Any], cut: Sequence[str]) -> Iterator[tuple[Kind, Any]]:
    for name, kind in (("tools", Kind.TOOL), ("system", Kind.SYSTEM)):
        if name in cut:
            yield from ((kind, value) for value in body[name])
    for message in body["messages"] if "messages" in cut else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        if not isinstance(content, list):
            yield Kind.MESSAGE, message
            continue
        yield Kind.HEAD, {**message, "content": None}
        yield from ((Kind.BLOCK, block) for block in content)


def _piece(kind: Kind, value: Any, number: int, rest: _Rest) -> Piece:
    if kind in _MARKED and isinstance(value, Mapping) and _MARKER in value:
        rest.markers.append((number, list(value).index(_MARKER), value[_MARKER]))
        value = {name: item for name, item in value.items() if name != _MARKER}
    return Piece(kind, to_json(value))


def _fill(body: dict[str, Any], rest: _Rest, pieces: Sequence[Piece]) -> None:
    body.update((name, []) for name in rest.cut)
    values: list[Any] = [loads(piece.json) for piece in pieces]
    for number, place, marker in rest.markers:
        items = list(values[number].items())
        items.insert(place, (_MARKER, marker))
        values[number] = dict(items)
    for piece, value in zip(pieces, values, strict=True):
        match piece.kind:
            case Kind.TOOL:
                body["tools"].append(value)
            case Kind.SYSTEM:
                body["system"].append(value)
            case Kind.BLOCK:
                body["messages"][-1]["content"].append(value)
            case Kind.HEAD:
                body["messages"].append({**value, "content": []})
            case Kind.MESSAGE:
                body["messages"].append(value)
