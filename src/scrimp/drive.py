"""Runs `core.flow`: one driver for sync faces, one for async ones. Only sending differs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol

from scrimp.core.flow import Answer, Command, Meter, Send

__all__ = ["Desk", "Flow", "adrive", "drive", "resume"]

Flow = Generator[Command, Any, None]


class Desk(Protocol):
    """Carries out every command but `Send`. Its own failures never reach the caller's request."""

    def answer(self, command: Command) -> Any:
        """Do what `command` says and return its answer."""

    def later(self, flow: Flow, command: Meter) -> bool:
        """Whether the response ends later; the desk then calls `resume` with the answer to `command`."""


def drive(flow: Flow, desk: Desk, send: Callable[[Send], Answer]) -> None:
    """Run `flow` until it ends or waits for a stream."""
    command: Command | None = next(flow)
    while command is not None:
        if isinstance(command, Meter) and desk.later(flow, command):
            return
        if not isinstance(command, Send):
            command = _next(flow, desk.answer(command))
            continue
        try:
            answer = send(command)
        except Exception as error:  # noqa: BLE001 - whatever sending raises, the flow settles and raises again
            command = _thrown(flow, error)
        else:
            command = _next(flow, answer)


async def adrive(flow: Flow, desk: Desk, send: Callable[[Send], Awaitable[Answer]]) -> None:
    """Run `flow` until it ends or waits for a stream."""
    command: Command | None = next(flow)
    while command is not None:
        if isinstance(command, Meter) and desk.later(flow, command):
            return
        if not isinstance(command, Send):
            command = _next(flow, desk.answer(command))
            continue
        try:
            answer = await send(command)
        except BaseException as error:  # noqa: BLE001 - a cancelled call must be settled as well
            command = _thrown(flow, error)
        else:
            command = _next(flow, answer)


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
