"""How far an audit has come, in files: those of a source bit by bit, while its levers are replayed."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Headway"]


class Headway:
    """Passes on to `advance` the files of each source, spread over its parts."""

    def __init__(self, advance: Callable[[int], None], parts: int) -> None:
        """`parts` is about how many parts a source has; with more of them the last ones tell nothing."""
        self._advance = advance
        self._parts = parts
        self._files = self._done = self._told = 0

    def begin(self, files: int) -> None:
        """A source of so many files begins."""
        self._files, self._done, self._told = files, 0, 0

    def part(self) -> None:
        """A part of it is done."""
        self._done = min(self._done + 1, self._parts)
        self._tell(self._files * self._done // self._parts)

    def end(self) -> None:
        """All of it is done."""
        self._tell(self._files)

    def _tell(self, files: int) -> None:
        if files > self._told:
            self._advance(files - self._told)
            self._told = files
