"""When an answer that is still being streamed has said enough: its JSON is complete, or a condition holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["Enough", "JsonSought", "TextSought"]

_OPENING, _CLOSING = "{[", "}]"


class Enough:
    """Reads an answer's text as it comes; `feed` says whether it is enough."""

    def __init__(self) -> None:
        self.text = ""

    def feed(self, piece: str) -> bool:
        """Take the next piece of text."""
        self.text += piece
        return self.is_enough()

    def is_enough(self) -> bool:
        """Whether what was read so far is what was sought."""
        raise NotImplementedError  # each kind has its own


class TextSought(Enough):
    """Enough is when `stop_when(text so far)` is true."""

    def __init__(self, stop_when: Callable[[str], bool]) -> None:
        super().__init__()
        self._stop_when = stop_when

    def is_enough(self) -> bool:
        """As `stop_when` says."""
        return self._stop_when(self.text)


class JsonSought(Enough):
    """Enough is one whole JSON object or array, whatever words or fences stand before it.

    Brackets of prose are passed over: what they enclose is no JSON.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value: Any = None
        self.found = False
        self._at = 0
        self._begin: int | None = None
        self._open: list[str] = []
        self._in_string = self._escaped = False

    def is_enough(self) -> bool:
        """Whether the JSON is complete; then `value` is it."""
        while self._at < len(self.text) and not self.found:
            self._look(self.text[self._at])
            self._at += 1
        return self.found

    def _look(self, character: str) -> None:
        if self._begin is None:
            if character in _OPENING:
                self._begin, self._open = self._at, [character]
        elif self._in_string:
            self._in_string = self._escaped or character != '"'
            self._escaped = character == "\\" and not self._escaped
        elif character == '"':
            self._in_string = True
        elif character in _OPENING:
            self._open.append(character)
        elif character in _CLOSING:
            self._close()

    def _close(self) -> None:
        self._open.pop()
        if self._open or self._begin is None:
            return
        try:
            self.value = json.loads(self.text[self._begin : self._at + 1])
            self.found = True
        except ValueError:  # brackets of prose: what was sought may stand inside them, or after
            self._at, self._begin = self._begin, None
