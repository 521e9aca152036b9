"""An event loop whose clock jumps to what is due next: seconds take no time, and no stall has a say."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from time import monotonic
from typing import Any

import pytest

__all__ = ["now", "run_at_once", "take_its_time"]


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing but what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = monotonic()

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout is not None:
            self.now += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def now() -> float:
    """Seconds by the clock of the loop that runs."""
    return asyncio.get_running_loop().time()


def run_at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it gives; within so many seconds of its own clock, or it hangs. Threads are not waited for."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(asyncio.wait_for(coroutine, 600))


def take_its_time(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """These modules ask the clock of the loop, as they do that of any other."""
    for module in modules:
        monkeypatch.setattr(f"{module}.monotonic", now)
