"""What a workspace has learned, so that the next process starts with it: as one value, and as rows to store.

Of requests it holds only the labels their callers gave them, never a prompt or a digest of one. What the
provider's cache holds is not learned but known, and soon out of date: each process finds that out itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

import msgspec

from scrimp.core.elsewhere import Tries
from scrimp.core.gaps import Counts
from scrimp.core.horizon import Learned, Place
from scrimp.core.tokens.learner import Ratios

__all__ = ["FORMAT", "Part", "Row", "Snapshot", "rows_of", "snapshot_of"]

FORMAT = 1
"""Version of what rows hold: raise it when a value gets another meaning, as when `gaps.EDGES` move."""

Part = Literal["continuing", "sharing", "joins", "ratios", "elsewhere", "levers"]
"""What a row is about; its key is a label with a stage or place, a label, a model, or a lever's own."""

V = TypeVar("V")


class Snapshot(msgspec.Struct, frozen=True):
    """All that was learned: when prompts of a label come again, tokens per model, use of others' entries.

    `levers` holds what levers have learned, each under its name, as bytes that it alone understands.
    """

    horizon: Learned = Learned()
    ratios: Mapping[str, Ratios] = {}
    elsewhere: Tries = Tries()
    levers: Mapping[str, bytes] = {}

    def since(self, earlier: Snapshot) -> Snapshot:
        """What differs from `earlier`; what only that one knows is left out."""
        now, before = self.horizon, earlier.horizon
        return Snapshot(
            Learned(
                _changed(now.continuing, before.continuing),
                _changed(now.sharing, before.sharing),
                _changed(now.joins, before.joins),
            ),
            _changed(self.ratios, earlier.ratios),
            self.elsewhere if self.elsewhere != earlier.elsewhere else Tries(),
            _changed(self.levers, earlier.levers),
        )


class Row(NamedTuple):
    """One value as it is stored: MessagePack, under a key of its part."""

    part: str
    key: str
    value: bytes


def rows_of(snapshot: Snapshot) -> Iterator[Row]:
    """Everything in `snapshot` that was learned; what no file can hold (lone surrogates) is left out."""
    for part, values in _parts(snapshot).items():
        for key, value in values.items():
            if _is_text(key) and _says_something(value):
                yield Row(part, key, msgspec.msgpack.encode(value))


def snapshot_of(rows: Iterable[Row]) -> tuple[Snapshot, int]:
    """What rows of this `FORMAT` hold, and how many of them could not be understood and were left out."""
    parts: dict[Part, dict[str, Any]] = {part: {} for part in get_args(Part)}
    refused = 0
    for part, key, stored in rows:
        value = _READ[cast(Part, part)](stored) if part in _READ else None
        if value is None:
            refused += 1
        else:
            parts[cast(Part, part)][key] = value
    horizon = Learned(parts["continuing"], parts["sharing"], parts["joins"])
    elsewhere = parts["elsewhere"].get("", Tries())
    return Snapshot(horizon, parts["ratios"], elsewhere, parts["levers"]), refused


def _parts(snapshot: Snapshot) -> Mapping[Part, Mapping[str, Any]]:
    horizon = snapshot.horizon
    return {
        "continuing": horizon.continuing,
        "sharing": horizon.sharing,
        "joins": horizon.joins,
        "ratios": snapshot.ratios,
        "elsewhere": {"": snapshot.elsewhere},
        "levers": snapshot.levers,
    }


def _changed(now: Mapping[str, V], before: Mapping[str, V]) -> dict[str, V]:
    return {key: value for key, value in now.items() if before.get(key) != value}


def _is_text(key: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in key)


def _says_something(value: Any) -> bool:
    """Whether it is more than where every process begins."""
    match value:
        case Counts():
            return any(value.reached)
        case Tries():
            return value != Tries()
        case _:
            return True


def _reader(kind: Any, sound: Callable[[Any], bool]) -> Callable[[bytes], Any]:
    decoder = msgspec.msgpack.Decoder(kind)

    def read(stored: bytes) -> Any:
        try:
            value = decoder.decode(stored)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return value if sound(value) else None

    return read


def _is_sound(value: Counts | Ratios | Tries) -> bool:
    return value.sound


def _are_places(joins: list[Place | None]) -> bool:
    return all(place is None or place[1] >= 0 for place in joins)


_READ: Mapping[Part, Callable[[bytes], Any]] = {
    "continuing": _reader(Counts, _is_sound),
    "sharing": _reader(Counts, _is_sound),
    "joins": _reader(list[Place | None], _are_places),
    "ratios": _reader(Ratios, _is_sound),
    "elsewhere": _reader(Tries, _is_sound),
    "levers": _reader(bytes, lambda _: True),
}
