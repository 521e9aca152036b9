"""A tool to be asked, and patience."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Counting:
    """A tool that counts its calls and may take a while."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def read(self, path: str, limit: int = 10, *flags: str, **more: Any) -> list[Any]:
        self.calls.append((path, limit, flags, more))
        self.may_end.wait(10)
        return [path, limit]


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.002)
    assert condition()
