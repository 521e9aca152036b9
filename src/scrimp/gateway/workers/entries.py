"""What workers hand in to be written in the ledger, and what comes back, as it goes over their line.

All of it by position: answers come in the order of the items. What is the same from call to call, whose call
it is above all, goes as bytes of its own: who has read them once knows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec.structs import astuple, fields

from scrimp.core.budget import Ask, Crossing, Held, Refusal, Scope, Settlement
from scrimp.core.record import Record, Tags
from scrimp.stores.ledger_items import Extended, Item, Kept, Released, fault_of
from scrimp.wire.response import Usage

__all__ = [
    "Answers",
    "Flush",
    "Flushed",
    "Items",
    "answers_to",
    "from_clerk",
    "results_of",
    "sent",
    "to_clerk",
    "written",
]

_MOST_REMEMBERED = 4096

_NAMES = [each.name for each in fields(Record)]
_TAGS, _USAGE = _NAMES.index("tags"), _NAMES.index("usage")

if TYPE_CHECKING:
    _Values: TypeAlias = tuple[Any, ...]
    _Counts: TypeAlias = tuple[Any, ...]
else:
    _Values = tuple[tuple(each.type for each in fields(Record) if each.name not in ("tags", "usage"))]
    _Counts = tuple[tuple(each.type for each in fields(Usage))]

sent = msgspec.msgpack.Encoder().encode

_tags_sent = lru_cache(_MOST_REMEMBERED)(sent)
_tags_read = lru_cache(_MOST_REMEMBERED)(msgspec.msgpack.Decoder(Tags).decode)
_scopes_sent = lru_cache(_MOST_REMEMBERED)(sent)
_scopes_read = lru_cache(_MOST_REMEMBERED)(msgspec.msgpack.Decoder(tuple[Scope, ...]).decode)


class _Kept(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """`values` are a record's, but for its tags and its usage."""

    values: _Values
    tags: bytes
    usage: _Counts
    hold: str | None
    amount: int


class _Ask(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    id: str
    amount: int
    at: float
    lease_until: float
    scopes: bytes


class _Released(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    hold: str


class _Extended(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    hold: str
    lease_until: float


_Sent: TypeAlias = _Kept | _Ask | _Released | _Extended


class Items(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """For the ledger, in this order. `awaited`: somebody waits for what comes of one of them."""

    number: int
    awaited: bool
    given: list[_Sent]

    @classmethod
    def of(cls, number: int, items: Sequence[Item], *, awaited: bool) -> Items:
        """A message of these items."""
        return cls(number, awaited, [_to_send(item) for item in items])

    def items(self) -> list[Item]:
        """The items, at the other end."""
        return [_received(one) for one in self.given]


class Flush(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Say when all items given so far are durable or have failed."""

    number: int


class _Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What came of one item, where that is not what comes of most."""

    held: Held | None = None
    refusal: Refusal | None = None
    crossed: tuple[Crossing, ...] = ()
    fault: str | None = None


_NOTHING = -1
"""What most items come to."""


class Answers(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """What came of each item of the message of that number.

    A number that is not negative stands for money held under these `limits`, as it was asked for.
    """

    number: int
    limits: list[tuple[str, ...]]
    answers: list[int | _Answer]


class Flushed(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """They are."""

    number: int


to_clerk: msgspec.msgpack.Decoder[Items | Flush] = msgspec.msgpack.Decoder(Items | Flush)
from_clerk: msgspec.msgpack.Decoder[Answers | Flushed] = msgspec.msgpack.Decoder(Answers | Flushed)


def answers_to(number: int, items: Sequence[Item], results: Sequence[Any]) -> Answers:
    """What the ledger said to each of these, or the error it gave."""
    limits: dict[tuple[str, ...], int] = {}
    answers: list[int | _Answer] = []
    for item, result in zip(items, results, strict=True):
        if not result:
            answers.append(_NOTHING)
        elif isinstance(result, Held) and isinstance(item, Ask) and _is_as_asked(result, item):
            answers.append(limits.setdefault(result.limits, len(limits)))
        else:
            answers.append(_answer(result))
    return Answers(number, [*limits], answers)


def results_of(message: Answers, items: Sequence[Item]) -> list[Any]:
    """The same for who gave these items: results, and exceptions to be raised."""
    results: list[Any] = []
    for item, answer in zip(items, message.answers, strict=True):
        if not isinstance(answer, int):
            results.append(_result(item, answer))
        elif answer == _NOTHING:
            results.append(() if isinstance(item, Kept) else None)
        else:
            results.append(_as_asked(item, message.limits[answer]))
    return results


def written(items: Sequence[Item]) -> list[Record]:
    """The records among these."""
    return [item.record for item in items if isinstance(item, Kept)]


def _is_as_asked(held: Held, ask: Ask) -> bool:
    return not held.crossed and held.amount == ask.amount


def _as_asked(item: Item, limits: tuple[str, ...]) -> Held | None:
    return Held(item.id, item.amount, limits) if isinstance(item, Ask) else None


def _answer(result: Any) -> _Answer:
    match result:
        case Held():
            return _Answer(held=result)
        case Refusal():
            return _Answer(refusal=result)
        case tuple():
            return _Answer(crossed=result)
        case _:
            return _Answer(fault=str(result) or type(result).__name__)


def _result(item: Item, answer: _Answer) -> Any:
    if answer.fault is not None:
        return fault_of(item, answer.fault)
    return answer.held or answer.refusal or answer.crossed


def _to_send(item: Item) -> _Sent:
    if isinstance(item, Kept):
        record, settlement = item.record, item.settlement
        hold, amount = (None, 0) if settlement is None else (settlement.hold, settlement.amount)
        said = astuple(record)
        values = (*said[:_TAGS], *said[_TAGS + 1 : _USAGE], *said[_USAGE + 1 :])
        return _Kept(values, _tags_sent(record.tags), astuple(record.usage), hold, amount)
    if isinstance(item, Ask):
        return _Ask(item.id, item.amount, item.at, item.lease_until, _scopes_sent(item.scopes))
    return _Released(item.hold) if isinstance(item, Released) else _Extended(item.hold, item.lease_until)


def _received(one: _Sent) -> Item:
    if isinstance(one, _Kept):
        said, tags, usage = one.values, _tags_read(one.tags), Usage(*one.usage)
        values = (*said[:_TAGS], tags, *said[_TAGS : _USAGE - 1], usage, *said[_USAGE - 1 :])
        return Kept(Record(*values), None if one.hold is None else Settlement(one.hold, one.amount))
    if isinstance(one, _Ask):
        return Ask(one.id, one.amount, one.at, one.lease_until, _scopes_read(one.scopes))
    return Released(one.hold) if isinstance(one, _Released) else Extended(one.hold, one.lease_until)
