"""When an answer that is still being streamed has said enough: its JSON is complete, or a condition holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from typing import Any, Protocol, TypeVar

from scrimp.errors import ResponseError

__all__ = ["JsonSought", "Sought", "TextSought"]

_OPENING, _CLOSING = "{[", "}]"

T_co = TypeVar("T_co", covariant=True)


class Sought(Protocol[T_co]):
    """Reads an answer as it comes, block by block. `reads_calls`: the input of this block's call is read."""

    reads_calls: bool

    def begin(self, kind: str) -> None:
        """The next content block begins, of that type."""

    def feed(self, piece: str) -> bool:
        """Take the next piece; whether what was read so far is enough."""

    def result(self) -> T_co:
        """What was sought, or as much of it as there is. Raises `ResponseError` where that is of no use."""


class TextSought:
    """Enough is when `stop_when(text so far)` is true; `text` is that of all blocks."""

    reads_calls = False

    def __init__(self, stop_when: Callable[[str], bool]) -> None:
        self.text = ""
        self._stop_when = stop_when

    def begin(self, kind: str) -> None:
        """Text goes on from block to block."""

    def feed(self, piece: str) -> bool:
        """As `stop_when` says."""
        self.text += piece
        return self._stop_when(self.text)

    def result(self) -> str:
        """The text that was read."""
        return self.text


class JsonSought:
    """Enough is one whole JSON object or array, whatever words or fences stand before it in its block.

    Brackets of prose are passed over: those that enclose no JSON, and those that do by accident, a footnote
    or a box to tick. Such a thing counts only where an answer ends without anything better. `value` is the
    JSON once it is `found`.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.found = False
        self._spare: tuple[Any, ...] = ()
        self._begin: int | None = None
        self.begin("text")

    def begin(self, kind: str) -> None:
        """Brackets left open in one block are no part of the next. The provider's own tools answer nobody."""
        self._look_back()
        self.reads_calls = kind == "tool_use"
        self._text = ""
        self._at = 0
        self._begin = None
        self._open = self._tries = 0
        self._in_string = self._escaped = False

    def feed(self, piece: str) -> bool:
        """Whether the JSON is complete."""
        self._text += piece
        while self._at < len(self._text) and not self.found:
            self._look(self._text[self._at])
            self._at += 1
        return self.found

    def result(self) -> Any:
        """The JSON. Raises `ResponseError` where the answer ended before it."""
        self._look_back()
        if not self.found and self._spare:
            return self._spare[0]
        if not self.found:
            raise ResponseError(
                "the answer ended before its JSON was complete: ask for JSON, or raise max_tokens"
            )
        return self.value

    def _look(self, character: str) -> None:
        if self._begin is None:
            if character in _OPENING:
                self._begin, self._open = self._at, 1
        elif self._in_string:
            self._in_string = self._escaped or character != '"'
            self._escaped = character == "\\" and not self._escaped
        elif character == '"':
            self._in_string = True
        elif character in _OPENING:
            self._open += 1
        elif character in _CLOSING:
            self._close(self._begin)

    def _close(self, begin: int) -> None:
        self._open -= 1
        if self._open:
            return
        try:
            value = json.loads(self._text[begin : self._at + 1])
        except ValueError:  # brackets of prose: what was sought may stand inside them, or after
            self._tries += 1
            self._at, self._begin = (begin if self._tries < _MOST_TRIES else self._at), None
        except RecursionError:
            self._begin = None
        else:
            self._begin = None
            self._take(value, begin)

    def _take(self, value: Any, begin: int) -> bool:
        """Whether that is it; what may be is kept for want of better."""
        if self.reads_calls or self._is_meant(value, begin):
            self.value, self.found = value, True
        elif not self._spare:
            self._spare = (value,)
        return self.found

    def _is_meant(self, value: Any, begin: int) -> bool:
        """Whether this is the answer, and no footnote, box to tick or pair of brackets in a sentence."""
        before = self._text[:begin].rstrip(" \t")
        line = before.rstrip("\n").rpartition("\n")[2]
        if before.endswith("\n") and "```" in line:
            return True
        if isinstance(value, dict):
            return bool(value) or not before
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], int):
            return False
        return (not before or before.endswith("\n")) and bool(value or not before)

    def _look_back(self) -> None:
        """Where a bracket or a quote of prose was left open, the JSON may stand behind it.

        JSON that was cut off is no prose: what stands inside it is not what was sought.
        """
        if self.found or self._begin is None or _is_cut_off(self._text, self._begin):
            return
        places = (at for at in range(self._begin + 1, len(self._text)) if self._text[at] in _OPENING)
        for at in islice(places, _MOST_TRIES):
            try:
                value = _decoder.raw_decode(self._text, at)[0]
            except (ValueError, RecursionError):
                if _is_cut_off(self._text, at):
                    return
            else:
                if self._take(value, at):
                    return


_decoder = json.JSONDecoder()
_MOST_TRIES = 200
"""Brackets of prose in one block that are looked into."""

_LONGEST_PART = 6
"""Characters of the longest thing that is only JSON as a whole, such as a backslash with its code."""


def _is_cut_off(text: str, begin: int) -> bool:
    """Whether all from `begin` on is the beginning of JSON that has not come to its end."""
    try:
        _decoder.raw_decode(text, begin)
    except ValueError as error:
        place = getattr(error, "pos", len(text))
        left = len(text.rstrip()) - place
        return left <= _LONGEST_PART or str(error).startswith("Unterminated string")
    except RecursionError:
        pass
    return False
