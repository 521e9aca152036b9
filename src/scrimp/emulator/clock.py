"""The emulator's time: the real one until somebody sets it."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Epoch seconds. Runs by itself until `set` or `advance`; from then on only those move it.

    Prices and cache rules are those of its day: in 1970 there was no cache.
    """

    def __init__(self, at: float | None = None) -> None:
        """Start stopped at `at`, or running."""
        self._at = at

    @property
    def running(self) -> bool:
        """Whether time passes by itself."""
        return self._at is None

    def now(self) -> float:
        """The time."""
        return time.time() if self._at is None else self._at

    def set(self, at: float) -> None:
        """It is `at` now, until moved again; going back is allowed, as recordings do."""
        self._at = float(at)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._at = self.now() + seconds

    def run(self) -> None:
        """Back to the real time."""
        self._at = None
