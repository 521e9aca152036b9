"""Results of tools that came from a cache, counted until the next call of their run is written down."""

from __future__ import annotations

import threading

from scrimp.core.forgetting import forget_oldest
from scrimp.core.record import Tags
from scrimp.stores.forking import survive_forks

__all__ = ["owner_of", "served", "take_notes"]

_OWNERS = 1_024
_NAMED = 3
"""Tools that a note names."""


def owner_of(tags: Tags) -> str:
    """Whose results they are: the outermost run's, so that sub-agents share them; "" outside of runs."""
    return tags.run_ids[0] if tags.run_ids else ""


class _Servings:
    """How often which tool was served, by owner; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: dict[str, dict[str, int]] = {}
        survive_forks(self)

    def add(self, owner: str, tool: str) -> None:
        with self._lock:
            counts = self.counts.setdefault(owner, {})
            counts[tool] = counts.get(tool, 0) + 1
            forget_oldest(self.counts, _OWNERS)

    def take(self, owner: str) -> dict[str, int]:
        with self._lock:
            return self.counts.pop(owner, {})

    def pause(self) -> None:
        """See `forking.Forkable`."""
        self._lock.acquire()

    def resume(self) -> None:
        """See `forking.Forkable`."""
        self._lock.release()

    def restart(self) -> None:
        """See `forking.Forkable`: what was counted is the parent's to write down."""
        self.counts.clear()
        self._lock.release()


_servings = _Servings()


def served(owner: str, tool: str) -> None:
    """A result of `tool` came from the cache."""
    _servings.add(owner, tool)


def take_notes(tags: Tags) -> tuple[str, ...]:
    """What the record of a call says of results served since the record before it."""
    waiting = _servings.counts
    if not waiting or owner_of(tags) not in waiting:  # every call asks, and few have anything
        return ()
    counts = _servings.take(owner_of(tags))
    if not counts:
        return ()
    total = sum(counts.values())
    shown = ", ".join(f"{name} ×{count}" for name, count in list(counts.items())[:_NAMED])
    more = ", …" if len(counts) > _NAMED else ""
    return (f"{total} tool {'result' if total == 1 else 'results'} from the cache: {shown}{more}",)
