"""`scrimp.until_json(stream)` and `scrimp.until(stream, stop_when=…)`: pay for no more output than is needed.

with client.messages.stream(…) as stream:
    data = scrimp.until_json(stream)        # closed as soon as the JSON is whole

async with client.messages.stream(…) as stream:
    text = await scrimp.until(stream, stop_when=lambda text: "</answer>" in text)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from scrimp.core.early_stop import JsonSought, Sought, TextSought

__all__ = ["until", "until_json"]

T = TypeVar("T")


def until_json(stream: Any) -> Any:
    """The first whole JSON object or array that the answer says; the stream is then closed.

    `stream` is what `client.messages.stream(…)` or `create(…, stream=True)` gives; an asynchronous one gives
    a coroutine to await. The object may stand behind words or in a fence, or be the input of a call of one of
    your tools; arrays begin a line. Empty ones, and footnotes such as [1], count only where nothing better
    comes. Output that was generated until then is billed, and no more: the ledger has an estimate of it,
    marked as such. Raises `ResponseError` where the answer ends before its JSON does.
    """
    return _read(stream, JsonSought())


def until(stream: Any, *, stop_when: Callable[[str], bool]) -> Any:
    """The text of an answer up to where `stop_when(text so far)` is true, or all of it; the stream is closed.

    `stop_when` is asked after every piece of text. As for `until_json`, an asynchronous stream gives a
    coroutine.
    """
    return _read(stream, TextSought(stop_when))


def _read(stream: Any, sought: Sought[Any]) -> Any:
    return _read_async(stream, sought) if hasattr(stream, "__aiter__") else _read_sync(stream, sought)


def _read_sync(stream: Any, sought: Sought[T]) -> T:
    try:
        for event in stream:
            if _is_enough(event, sought):
                break
    finally:
        stream.close()
    return sought.result()


async def _read_async(stream: Any, sought: Sought[T]) -> T:
    try:
        async for event in stream:
            if _is_enough(event, sought):
                break
    finally:
        await stream.close()
    return sought.result()


def _is_enough(event: Any, sought: Sought[Any]) -> bool:
    """Whether an event of the stream makes it enough; thinking is no part of what is said."""
    kind = getattr(event, "type", None)
    if kind == "content_block_start":
        sought.begin(str(getattr(getattr(event, "content_block", None), "type", "")))
    if kind != "content_block_delta":
        return False
    piece = getattr(event.delta, "text", None)
    if piece is None and sought.reads_calls:
        piece = getattr(event.delta, "partial_json", None)
    return piece is not None and sought.feed(piece)
