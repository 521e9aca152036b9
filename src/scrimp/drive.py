"""Runs `core.flow`: one driver for sync faces, one for async ones. Only sending and waiting differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from typing import Any, Protocol

from scrimp.core.commands import Answer, Command, Meter, Plan, Reserve, Reshape, Send
from scrimp.stores.awaiting import awaited

__all__ = ["Desk", "Flow", "adrive", "drive", "resume"]

Flow = Generator[Command, Any, None]


class Desk(Protocol):
    """Carries out every command but `Send`. Its own failures never reach the caller's request.

    But for `Reserve`: where a limit is set and what is left of it cannot be told, nothing goes out.
    `large`: the request is so long that an event loop should not wait for what levers make of it.
    """

    large: bool

    def answer(self, command: Command) -> Any:
        """Do what `command` says and return its answer."""

    def reserve(self, command: Reserve) -> Future[Any] | None:
        """Hold the money; the future has the answer, or the error that keeps the request from going out."""

    def later(self, flow: Flow, command: Meter) -> bool:
        """Whether the response ends later; the desk then calls `resume` with the answer to `command`."""


def drive(flow: Flow, desk: Desk, send: Callable[[Send], Answer]) -> None:
    """Run `flow` until it ends or waits for a stream."""
    command: Command | None = next(flow)
    while command is not None:
        if isinstance(command, Meter) and desk.later(flow, command):
            return
        if not isinstance(command, Send | Reserve):
            command = _next(flow, desk.answer(command))
            continue
        try:
            answer = send(command) if isinstance(command, Send) else _waited(desk.reserve(command))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the flow settles and raises it again
            command = _thrown(flow, error)
        else:
            command = _next(flow, answer)


async def adrive(
    flow: Flow,
    desk: Desk,
    send: Callable[[Send], Awaitable[Answer]],
    plan: Callable[[Plan], Awaitable[Any]] | None = None,
) -> None:
    """Run `flow` until it ends or waits for a stream. `plan` makes plans where one may have to wait."""
    waits = (Reshape, Send, Reserve) if plan is None else (Plan, Reshape, Send, Reserve)
    command: Command | None = next(flow)
    while command is not None:
        if isinstance(command, Meter) and desk.later(flow, command):
            return
        if not isinstance(command, waits):
            command = _next(flow, desk.answer(command))
            continue
        try:
            answer = await (send(command) if isinstance(command, Send) else _answered(command, desk, plan))
        except BaseException as error:  # noqa: BLE001 - a cancelled call must be settled as well
            command = _thrown(flow, error)
        else:
            command = _next(flow, answer)


async def _answered(command: Command, desk: Desk, plan: Callable[[Plan], Awaitable[Any]] | None) -> Any:
    if isinstance(command, Plan) and plan is not None:
        return await plan(command)
    if isinstance(command, Reshape) and desk.large:
        return await asyncio.to_thread(desk.answer, command)
    if isinstance(command, Reserve):
        return await _awaited(desk.reserve(command))
    return desk.answer(command)


def _waited(future: Future[Any] | None) -> Any:
    return None if future is None else future.result()


async def _awaited(future: Future[Any] | None) -> Any:
    if future is None or future.done():
        return _waited(future)
    return await awaited(future)


def resume(flow: Flow, desk: Desk, answer: Any) -> None:
    """Run the rest of a flow that waited for the end of its response; `answer` is that of its `Meter`."""
    command = _next(flow, answer)
    while command is not None:
        command = _next(flow, desk.answer(command))


def _next(flow: Flow, answer: Any) -> Command | None:
    try:
        return flow.send(answer)
    except StopIteration:
        return None


def _thrown(flow: Flow, error: BaseException) -> Command | None:
    try:
        return flow.throw(error)
    except StopIteration:
        return None
    finally:
        del error  # its traceback holds this frame: nothing is to go round in a circle
