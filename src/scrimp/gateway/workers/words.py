"""What supervisor and workers say to each other."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from scrimp.core.budget import Ask, Crossing, Held, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.record import Tags
from scrimp.errors import StoreError
from scrimp.gateway.metrics import Count
from scrimp.stores.ledger_items import Extended, Item, Kept, Released, fault_of

__all__ = [
    "Answer",
    "Answers",
    "CountNow",
    "Counted",
    "Counts",
    "Flush",
    "Flushed",
    "FromSupervisor",
    "FromWorker",
    "Given",
    "Items",
    "Missed",
    "Ready",
    "Refused",
    "Stopping",
    "WantCounts",
    "from_supervisor",
    "from_worker",
    "said",
]


class Given(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One item for the ledger, and the number that its answer has: one of the four fields is set."""

    number: int
    awaited: bool
    kept: Kept | None = None
    ask: Ask | None = None
    released: Released | None = None
    extended: Extended | None = None

    @classmethod
    def of(cls, number: int, item: Item, *, awaited: bool) -> Given:
        """An item with its number."""
        match item:
            case Kept():
                return cls(number, awaited, item)
            case Ask():
                return cls(number, awaited, None, item)
            case Released():
                return cls(number, awaited, None, None, item)
            case Extended():
                return cls(number, awaited, None, None, None, item)

    @property
    def item(self) -> Item:
        """The item. Raises `StoreError` where there is none."""
        found = self.kept or self.ask or self.released or self.extended
        if found is None:
            raise StoreError("an item of a worker says nothing")
        return found


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What came of one item: for an `Ask` it is held or refused, for `Kept` limits may be crossed."""

    number: int
    held: Held | None = None
    refusal: Refusal | None = None
    crossed: tuple[Crossing, ...] = ()
    fault: str | None = None

    @classmethod
    def of(cls, number: int, result: Any) -> Answer:
        """An answer of the ledger's writer, or the error it gave."""
        match result:
            case Held():
                return cls(number, held=result)
            case Refusal():
                return cls(number, refusal=result)
            case tuple():
                return cls(number, crossed=result)
            case BaseException():
                return cls(number, fault=str(result) or type(result).__name__)
        return cls(number)

    def to(self, item: Item) -> Any:
        """The same for who gave the item: a result, or an exception to be raised."""
        if self.fault is not None:
            return fault_of(item, self.fault)
        match item:
            case Ask():
                return self.held or self.refusal
            case Kept():
                return self.crossed
        return None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """A worker answers calls from now on."""


class Items(msgspec.Struct, frozen=True, tag=True):
    """For the ledger, in this order."""

    given: list[Given]


class Answers(msgspec.Struct, frozen=True, tag=True):
    """Of the ledger."""

    answers: list[Answer]


class Flush(msgspec.Struct, frozen=True, tag=True):
    """Say when all items given so far are durable or have failed."""

    number: int


class Flushed(msgspec.Struct, frozen=True, tag=True):
    """They are; `fault` says why that is not so."""

    number: int
    fault: str | None = None


class Missed(msgspec.Struct, frozen=True, tag=True):
    """For the alerts: see `Listener`."""

    diagnosis: Diagnosis
    tags: Tags


class Refused(msgspec.Struct, frozen=True, tag=True):
    """For the alerts: see `Listener`."""

    refusal: Refusal
    tags: Tags


class Stopping(msgspec.Struct, frozen=True, tag=True):
    """A worker was told to stop, and so many calls are still under way."""

    under_way: int


class WantCounts(msgspec.Struct, frozen=True, tag=True):
    """A worker that has counted so much asks what the others have."""

    number: int
    count: Count


class Counts(msgspec.Struct, frozen=True, tag=True):
    """What the others have counted, those that are gone included."""

    number: int
    counts: list[Count]


class CountNow(msgspec.Struct, frozen=True, tag=True):
    """A worker is asked what it has counted."""


class Counted(msgspec.Struct, frozen=True, tag=True):
    """What a worker has counted."""

    count: Count


FromWorker: TypeAlias = Ready | Items | Flush | Missed | Refused | Stopping | WantCounts | Counted
FromSupervisor: TypeAlias = Answers | Flushed | CountNow | Counts

from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)
from_supervisor: msgspec.msgpack.Decoder[FromSupervisor] = msgspec.msgpack.Decoder(FromSupervisor)
said = msgspec.msgpack.Encoder().encode
