"""A tool to be asked."""

from __future__ import annotations

import threading
from typing import Any

from tests.patience import PATIENCE


class Counting:
    """A tool that counts its calls and may take a while."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def read(self, path: str, limit: int = 10, *flags: str, **more: Any) -> list[Any]:
        self.calls.append((path, limit, flags, more))
        self.may_end.wait(PATIENCE)
        return [path, limit]
