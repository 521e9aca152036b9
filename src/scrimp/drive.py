"""Runs `core.flow`: one driver for sync faces, one for async ones. Only sending and waiting differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol

from scrimp.core.commands import Answer, Command, Meter, Plan, Reserve, Reshape, Send
from scrimp.stores.promise import Promise

__all__ = ["Desk", "Flow", "adrive", "drive", "resume"]

Flow = Generator[Command, Any, None]

# Commands are told apart by `type`: `isinstance` asks the classes of msgspec in Python's slowest way.


class Desk(Protocol):
    """Carries out every command but `Send`. Its own failures never reach the caller's request.

    But for `Reserve`: where a limit is set and what is left of it cannot be told, nothing goes out.
    `large`: the request is so long that an event loop should not wait for what levers make of it.
    """

    large: bool

    def answer(self, command: Command) -> Any:
        """Do what `command` says and return its answer."""

    def reserve(self, command: Reserve) -> Promise[Any] | None:
        """Ask for the money; the promise is kept once that is decided, None: it is. Raises as `reserved`."""

    def reserved(self, command: Reserve, decided: Promise[Any] | None) -> Any:
        """The answer; waits until it is decided. Raises what keeps the request from going out."""

    def later(self, flow: Flow, command: Meter) -> bool:
        """Whether the response ends later; the desk then calls `resume` with the answer to `command`."""


def drive(flow: Flow, desk: Desk, send: Callable[[Send], Answer]) -> None:
    """Run `flow` until it ends or waits for a stream."""
    command: Any = next(flow)
    while command is not None:
        kind = type(command)
        try:
            if kind is Send:
                answer = send(command)
            elif kind is Reserve:
                answer = desk.reserved(command, desk.reserve(command))
            elif kind is Meter and desk.later(flow, command):
                return
            else:
                answer = desk.answer(command)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the flow settles and raises it again
            command = _thrown(flow, error)
            continue
        try:
            command = flow.send(answer)
        except StopIteration:
            return


async def adrive(
    flow: Flow,
    desk: Desk,
    send: Callable[[Send], Awaitable[Answer]],
    plan: Callable[[Plan], Awaitable[Any]] | None = None,
    turn: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run `flow` until it ends or waits for a stream.

    `plan` makes plans where one may have to wait; `turn` is awaited before what keeps an event loop busy.
    """
    command: Any = next(flow)
    while command is not None:
        kind = type(command)
        try:
            if turn is not None and (kind is Plan or kind is Reserve):
                await turn()
            decided = desk.reserve(command) if kind is Reserve else None
            if decided is not None and not decided.done():
                await decided.settled()  # `reserved` raises its error, in words of its own
            if kind is Send:
                answer = await send(command)
            elif kind is Reserve:
                answer = desk.reserved(command, decided)
            elif kind is Plan and plan is not None:
                answer = await plan(command)
            elif kind is Meter and desk.later(flow, command):
                return
            elif kind is Reshape and desk.large:
                answer = await asyncio.to_thread(desk.answer, command)
            else:
                answer = desk.answer(command)
        except BaseException as error:  # noqa: BLE001 - a cancelled call must be settled as well
            command = _thrown(flow, error)
            continue
        try:
            command = flow.send(answer)
        except StopIteration:
            return


def resume(
    flow: Flow, desk: Desk, answer: Any, turn: Callable[[Callable[[], None]], None] | None = None
) -> None:
    """Run the rest of a flow that waited for the end of its response; `answer` is that of its `Meter`.

    `turn` is given what each command takes, to be done when there is time for it.
    """
    try:
        command = flow.send(answer)
        while turn is None:
            command = flow.send(desk.answer(command))
    except StopIteration:
        return
    turn(lambda: resume(flow, desk, desk.answer(command), turn))


def _thrown(flow: Flow, error: BaseException) -> Command | None:
    try:
        return flow.throw(error)
    except StopIteration:
        return None
