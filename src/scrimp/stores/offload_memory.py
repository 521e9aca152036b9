"""Offloaded texts in memory, for tests and for processes that keep nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from scrimp.errors import StoreError
from scrimp.stores.offload import Kept, Kind, Retention

__all__ = ["MemoryOffload"]


class MemoryOffload:
    """A store that ends with its process; bounded as any other."""

    def __init__(self, retention: Retention | None = None) -> None:
        self._retention = retention or Retention()
        self._kept: dict[bytes, tuple[Kind, bytes, float]] = {}
        self._lock = threading.Lock()

    def put(self, kept: Sequence[Kept], now: float) -> None:
        """See `OffloadStore`."""
        most = self._retention.most_bytes
        if sum(len(one.data) for one in kept) > most:
            raise StoreError(f"more than the {most:,} bytes that are kept in all")
        with self._lock:
            for one in kept:
                kind, data, _ = self._kept.pop(one.key, (one.kind, one.data, now))
                self._kept[one.key] = (kind, data, now)
            self._let_go(now)

    def put_soon(self, kept: Sequence[Kept], now: float) -> None:
        """See `OffloadStore`."""
        if sum(len(one.data) for one in kept) <= self._retention.most_bytes:
            self.put(kept, now)

    def get(self, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        """See `OffloadStore`."""
        found = {}
        with self._lock:
            for key in keys:
                kind, data, at = self._kept.get(key, (Kind.TEXT, b"", float("-inf")))
                if at < self._retention.since(kind, now):
                    continue
                found[key] = data
                if now - at >= self._retention.renewed_after:
                    del self._kept[key]
                    self._kept[key] = (kind, data, now)
        return found

    def close(self) -> None:
        """Nothing is open."""

    def _let_go(self, now: float) -> None:
        old = [key for key, (kind, _, at) in self._kept.items() if at < self._retention.since(kind, now)]
        for key in old:
            del self._kept[key]
        surplus = sum(len(data) for _, data, _ in self._kept.values()) - self._retention.most_bytes
        for key in sorted(self._kept, key=lambda key: self._kept[key][0] is not Kind.TEXT):
            if surplus <= 0:
                break
            surplus -= len(self._kept.pop(key)[1])
