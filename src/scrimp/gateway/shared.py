"""What a gateway that is one of several workers knows of the others."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from scrimp.gateway.metrics import Count

__all__ = ["Claim", "Claims", "Shared"]


class Claim(NamedTuple):
    """A prefix is being written, or `written` already, by another worker, `since` when (monotonic)."""

    written: bool
    since: float


class Claims(Protocol):
    """Which prefixes are being written by which worker. Keys are 16 bytes, and tell accounts apart."""

    def take(self, keys: Sequence[bytes]) -> Mapping[bytes, Claim]:
        """Claim all of these, unless others have some: then nothing is claimed, and those are told."""
        ...

    def written(self, keys: Sequence[bytes]) -> None:
        """These can be read now."""
        ...

    def dropped(self, keys: Sequence[bytes]) -> None:
        """Nothing came of writing these."""
        ...

    def look(self, key: bytes) -> Claim | None:
        """What another worker does with a prefix; None: nothing."""
        ...


class Shared(Protocol):
    """The other workers, and the supervisor, who has the port."""

    @property
    def claims(self) -> Claims:
        """Who writes which prefix."""
        ...

    @property
    def ready(self) -> bool:
        """Whether all workers answer calls."""
        ...

    def serve(self, take: Callable[[socket.socket], None], gone: Callable[[], None]) -> None:
        """This worker answers calls from now on: `take` is given connections. `gone`: the supervisor is."""
        ...

    def stands(self, closed: int) -> None:
        """Of the connections it was given so many are closed."""
        ...

    def stopping(self, under_way: int) -> None:
        """It was told to stop, and so many calls are still under way."""
        ...

    def counting(self, count: Callable[[], Count]) -> None:
        """How this worker says what it has counted, when it is asked."""
        ...

    async def counts(self, own: Count) -> Sequence[Count]:
        """What the other workers have counted beside `own`, those that are gone included."""
        ...
