"""What an emulator billed, call by call, with the request of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from scrimp.emulator import Billed, Emulator, Received

__all__ = ["Call", "Recording"]


class Call(msgspec.Struct, frozen=True):
    """One billed call. `number` counts from 1; `received` is None where the emulator kept it no longer."""

    number: int
    billed: Billed
    received: Received | None

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The request as it arrived, where it is still known."""
        body = self.received.body if self.received else None
        return body if isinstance(body, Mapping) else None


class Recording:
    """A run: everything an emulator billed, or a part of it."""

    def __init__(self, emulator: Emulator, *, name: str = "this run", start: int = 0) -> None:
        """From the call with index `start` on; `name` is what failures call it."""
        self.emulator = emulator
        self.name = name
        self._start = start
        self._stop: int | None = None

    @property
    def bill(self) -> Sequence[Billed]:
        """What was billed, in the order the calls ended."""
        return self.emulator.bill[self._start : self._stop]

    @property
    def calls(self) -> list[Call]:
        """Every billed call of this run."""
        received = {request.request_id: request for request in self.emulator.requests}
        return [Call(at, entry, received.get(entry.request_id)) for at, entry in enumerate(self.bill, 1)]

    @contextmanager
    def part(self, name: str = "this part") -> Iterator[Recording]:
        """What is billed inside the `with` block, as a run of its own."""
        part = Recording(self.emulator, name=name, start=len(self.emulator.bill))
        try:
            yield part
        finally:
            part.close()

    def close(self) -> None:
        """Nothing billed from here on belongs to it."""
        if self._stop is None:
            self._stop = len(self.emulator.bill)

    def __repr__(self) -> str:
        return f"<Recording {self.name!r}: {len(self.bill)} billed calls>"
