"""`scrimp.until_json(stream)` and `scrimp.until(stream, stop_when=…)`: pay for no more output than is needed.

with client.messages.stream(…) as stream:
    data = scrimp.until_json(stream)        # closed as soon as the JSON is whole

async with client.messages.stream(…) as stream:
    text = await scrimp.until(stream, stop_when=lambda text: "</answer>" in text)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from scrimp.core.early_stop import JsonSought, TextSought
from scrimp.errors import ResponseError

__all__ = ["until", "until_json"]

T = TypeVar("T")


def until_json(stream: Any) -> Any:
    """The first whole JSON object or array that the answer says; the stream is then closed.

    `stream` is what `client.messages.stream(…)` or `create(…, stream=True)` gives; an asynchronous one gives
    a coroutine to await. The object may stand behind words or in a fence, or be the input of a tool call.
    Output that was generated until then is billed, and no more: the ledger has an estimate of it, marked as
    such. Raises `ResponseError` where the answer ends before its JSON does.
    """
    return _read(stream, _UntilJson())


def until(stream: Any, *, stop_when: Callable[[str], bool]) -> Any:
    """The text of an answer up to where `stop_when(text so far)` is true, or all of it; the stream is closed.

    `stop_when` is asked after every piece of text. As for `until_json`, an asynchronous stream gives a
    coroutine.
    """
    return _read(stream, _UntilText(stop_when))


class _Reader(Generic[T]):
    """Takes the events of a stream; `result` is what was sought."""

    def take(self, event: Any) -> bool:
        """Whether this event makes it enough."""
        kind = getattr(event, "type", None)
        if kind == "content_block_start":
            self.begin()
        if kind != "content_block_delta":
            return False
        text = getattr(event.delta, "text", None)
        asked = getattr(event.delta, "partial_json", None)
        return (text is not None and self.said(text)) or (asked is not None and self.asked(asked))

    def begin(self) -> None:
        """A content block begins."""

    def said(self, piece: str) -> bool:
        """The next piece of text."""
        raise NotImplementedError  # each kind has its own

    def asked(self, piece: str) -> bool:  # noqa: ARG002 - what most seek is no tool call
        """The next piece of a tool call's input."""
        return False

    @property
    def result(self) -> T:
        """What was sought, or as much of it as there is."""
        raise NotImplementedError  # each kind has its own


class _UntilText(_Reader[str]):
    def __init__(self, stop_when: Callable[[str], bool]) -> None:
        self._sought = TextSought(stop_when)

    def said(self, piece: str) -> bool:
        return self._sought.feed(piece)

    @property
    def result(self) -> str:
        return self._sought.text


class _UntilJson(_Reader[Any]):
    def __init__(self) -> None:
        self._sought = JsonSought()

    def begin(self) -> None:
        self._sought = JsonSought()  # brackets left open in one block are no part of the next

    def said(self, piece: str) -> bool:
        return self._sought.feed(piece)

    def asked(self, piece: str) -> bool:
        return self._sought.feed(piece)

    @property
    def result(self) -> Any:
        if not self._sought.found:
            raise ResponseError(
                "the answer ended before its JSON was complete: ask for JSON, or raise max_tokens"
            )
        return self._sought.value


def _read(stream: Any, reader: _Reader[Any]) -> Any:
    return _read_async(stream, reader) if hasattr(stream, "__aiter__") else _read_sync(stream, reader)


def _read_sync(stream: Any, reader: _Reader[T]) -> T:
    try:
        for event in stream:
            if reader.take(event):
                break
    finally:
        stream.close()
    return reader.result


async def _read_async(stream: Any, reader: _Reader[T]) -> T:
    try:
        async for event in stream:
            if reader.take(event):
                break
    finally:
        await stream.close()
    return reader.result
