"""What supervisor and workers say to each other, beside what is for the ledger (`entries`)."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from scrimp.core.budget import Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.record import Tags
from scrimp.gateway.metrics import Count

__all__ = [
    "CountNow",
    "Counted",
    "Counts",
    "FromSupervisor",
    "FromWorker",
    "Missed",
    "Ready",
    "Refused",
    "Stopping",
    "WantCounts",
    "from_supervisor",
    "from_worker",
    "said",
]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """A worker answers calls from now on."""


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


FromWorker: TypeAlias = Ready | Missed | Refused | Stopping | WantCounts | Counted
FromSupervisor: TypeAlias = CountNow | Counts

from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)
from_supervisor: msgspec.msgpack.Decoder[FromSupervisor] = msgspec.msgpack.Decoder(FromSupervisor)
said = msgspec.msgpack.Encoder().encode
