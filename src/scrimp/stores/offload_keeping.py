"""An offload store as its users need it: opened when first used, its failures told once and never raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from scrimp.core.forgetting import forget_oldest
from scrimp.core.offload.answering import Fetched, answer, unreadable
from scrimp.core.offload.keys import text_key
from scrimp.errors import InputError, StoreError
from scrimp.stores.offload import Kept, Kind, OffloadStore, Retention
from scrimp.stores.offload_home import home_offload

__all__ = ["Keeper"]


T = TypeVar("T")

_AT_HAND = 16 * 2**20
"""Characters of texts that are read without the store: those of the requests that are under way."""

_RENEWED = 20_000
"""Texts of which it is remembered when that was written down."""


class Keeper:
    """A store, or the one of scrimp's home folder; what goes wrong is kept for whoever can tell it."""

    def __init__(
        self,
        store: OffloadStore | None = None,
        retention: Retention | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._retention = retention or Retention()
        self._clock = clock
        self._faults: dict[str, None] = {}
        self._at_hand: dict[bytes, str] = {}
        self._size = 0
        self._renewed: dict[bytes, float] = {}
        self.works = True

    def faults(self) -> tuple[str, ...]:
        """What went wrong since this was last asked, a line for each."""
        told = tuple(self._faults)
        self._faults.clear()
        return told

    def put(self, *kept: Kept) -> bool:
        """Keep these; whether they are kept, and durable."""

        def work(store: OffloadStore) -> bool:
            store.put(kept, self._clock())
            return True

        return self._tried(work) is not None

    def put_soon(self, *kept: Kept) -> None:
        """Keep these, soon."""

        def work(store: OffloadStore) -> bool:
            store.put_soon(kept, self._clock())
            return True

        self._tried(work)

    def renew(self, key: bytes, text: str, now: float) -> None:
        """A request carries this text whole: it can be read while it does, and is kept from here on.

        That is written down again now and then, for a store lets go what nobody asks for. `now` in epoch
        seconds.
        """
        self._hold(key, text)
        if now - self._renewed.get(key, float("-inf")) >= self._retention.renewed_after:
            self._renewed.pop(key, None)
            self._renewed[key] = now
            forget_oldest(self._renewed, _RENEWED)
            self.put_soon(Kept(key, Kind.TEXT, text.encode()))

    def _hold(self, key: bytes, text: str) -> None:
        self._size += len(text) - len(self._at_hand.pop(key, ""))
        self._at_hand[key] = text
        while self._size > _AT_HAND:
            self._size -= len(self._at_hand.pop(next(iter(self._at_hand))))

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes] | None:
        """What of these there is; None where the store cannot tell."""
        if not keys:
            return {}
        return self._tried(lambda store: store.get(keys, self._clock()))

    def text(self, handle: str, scope: str) -> str | None:
        """The text that this scope kept under this handle. Raises `StoreError` where that cannot be told."""
        key = text_key(scope, handle)
        held = self._at_hand.get(key)
        if held is not None:
            return held
        found = self.get([key])
        if found is None:
            raise StoreError("; ".join(self._faults) or "the store cannot be read")
        return found[key].decode() if key in found else None

    def answer(self, asked: Mapping[str, Any], scope: str) -> Fetched:
        """Answer one use of the tool by this scope; never raises."""
        try:
            return answer(asked, scope, self)
        except StoreError:
            return unreadable()

    def keep(self, key: bytes, kept: bytes) -> None:
        """See `core.offload.hidden.HiddenStore`."""
        self.put(Kept(key, Kind.TURN, kept))

    def find(self, key: bytes) -> bytes | None:
        """See `core.offload.hidden.HiddenStore`."""
        return (self.get([key]) or {}).get(key)

    def _tried(self, work: Callable[[OffloadStore], T]) -> T | None:
        """What the store answers; None, with a fault to tell, where it fails."""
        try:
            if self._store is None:
                self._store = home_offload(self._retention, self._note)
            found = work(self._store)
        except (StoreError, InputError) as error:
            self.works = False
            self._note(f"large tool results are left whole, because they cannot be kept: {error}")
            return None
        self.works = True
        return found

    def _note(self, fault: str) -> None:
        self._faults[fault] = None
