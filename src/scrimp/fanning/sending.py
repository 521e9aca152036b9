"""Sends one request of a fan-out; that of a leader so that the start of its response is seen.

A response without streaming begins when it is complete. So a leader that was not to be streamed is streamed
all the same, and its events are put together to the message that the call would have returned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from typing import Any

from scrimp.calls import sent_as_marked
from scrimp.errors import ResponseError
from scrimp.fanning.requests import Call
from scrimp.wire.events import Event
from scrimp.wire.rebuild import MessageBuilder

__all__ = ["asend", "asend_leader", "send", "send_leader"]

Began = Callable[[], None]
"""Called once, when the response of a leader has begun."""


def send(call: Call) -> Any:
    """A request that does not lead, as the caller would have sent it."""
    if call.kind == "helper":
        return call.open(**call.arguments).__enter__()
    return call.create(**call.arguments)


async def asend(call: Call) -> Any:
    """`send`, for async clients."""
    if call.kind == "helper":
        return await call.open(**call.arguments).__aenter__()
    return await call.create(**call.arguments)


def send_leader(call: Call, began: Began) -> Any:
    """A leader: returns what `send` would have.

    `began` is called when the response begins, if that is before this returns.
    """
    with sent_as_marked():
        if call.kind == "message" and call.can_stream:
            return _streamed(call, began)
        answer = send(call)
    if call.kind != "message":
        _peek(answer)
    return answer


async def asend_leader(call: Call, began: Began) -> Any:
    """`send_leader`, for async clients."""
    with sent_as_marked():
        if call.kind == "message" and call.can_stream:
            return await _astreamed(call, began)
        answer = await asend(call)
    if call.kind != "message":
        await _apeek(answer)
    return answer


def _streamed(call: Call, began: Began) -> Any:
    told = _Told(began)
    with call.create(**{**call.arguments, "stream": True}) as stream:
        for event in stream:
            told.feed(event)
    return told.message(stream.response)


async def _astreamed(call: Call, began: Began) -> Any:
    told = _Told(began)
    async with await call.create(**{**call.arguments, "stream": True}) as stream:
        async for event in stream:
            told.feed(event)
    return told.message(stream.response)


class _Told:
    """The events of a leader, told as they come and put together to a message."""

    def __init__(self, began: Began) -> None:
        self._began = began
        self._builder = MessageBuilder()
        self._type: Any = None
        self._ended = False

    def feed(self, event: Any) -> None:
        """One event of the SDK."""
        if self._type is None and event.type == "message_start":
            self._type = type(event.message)
            self._began()
        self._ended = self._ended or event.type == "message_stop"
        self._builder.feed(Event(event.type, event.to_json(indent=None).encode()))

    def message(self, response: Any) -> Any:
        """The message, with its request id; raises `ResponseError` when the stream broke off."""
        body = self._builder.message()
        if body is None or not self._ended:
            raise ResponseError("the stream of a message ended before the message did")
        message = self._type.construct(**body)
        message._request_id = response.headers.get("request-id")  # noqa: SLF001 - public in spite of its name
        return message


def _peek(stream: Any) -> None:
    """Wait for the first bytes of a stream, and put them back for its reader."""
    response = stream.response
    chunks: Iterator[bytes] = response.iter_bytes()
    seen: list[bytes] = []
    try:
        seen.append(next(chunks, b""))
    finally:
        if not seen:
            stream.close()
    response.iter_bytes = lambda chunk_size=None: chain(seen, chunks)  # noqa: ARG005 - as httpx has it


async def _apeek(stream: Any) -> None:
    response = stream.response
    chunks: AsyncIterator[bytes] = response.aiter_bytes()
    seen: list[bytes] = []
    try:
        seen.append(await anext(chunks, b""))
    finally:
        if not seen:
            await stream.close()

    async def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:  # noqa: ARG001 - as httpx has it
        yield seen[0]
        async for chunk in chunks:
            yield chunk

    response.aiter_bytes = aiter_bytes
