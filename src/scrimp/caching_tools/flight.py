"""One call of a tool under way: who makes it, and who waits for what comes of it, thread or task."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import deepcopy
from types import TracebackType
from typing import Any, Final, Protocol, Self

from scrimp.core.tool_cache import Key, is_immutable

__all__ = ["ALONE", "GONE", "Flight", "own", "under_way"]

under_way: ContextVar[tuple[Flight, ...]] = ContextVar("scrimp_tools_under_way", default=())
"""Calls that this code is part of: one that leads to itself again must not wait for itself."""


class Gone:
    """In place of a result: none came, because the call was cancelled."""


class Alone:
    """In place of a result: it cannot be copied or waited for, so that everybody has to ask."""


GONE: Final = Gone()
ALONE: Final = Alone()


class Tool(Protocol):
    """Whose call it is."""

    def keeps(self, value: Any) -> bool:
        """Whether this result may be given again."""
        ...

    def put(self, flight: Flight, value: Any) -> None:
        """Keep a result."""
        ...

    def landed(self, flight: Flight) -> None:
        """A call is over."""
        ...

    def say(self, why: str) -> None:
        """Warn once of why results are not kept."""
        ...


class Flight:
    """One call under way that others with the same arguments wait for."""

    def __init__(self, tool: Tool, key: Key, generation: int, now: float) -> None:
        self.key, self.generation, self.began = key, generation, now
        self.waits_for: list[Flight] = []
        self._tool = tool
        self._future: Future[Any] = Future()
        self._future.set_running_or_notify_cancel()  # a waiter that is cancelled cancels nobody else
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def stands(self) -> bool:
        """Whether it waits for an event loop that does not run, and perhaps never will again."""
        return self._loop is not None and not self._loop.is_running()

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Inside, the calls that this code is part of wait for it."""
        waiting = under_way.get()
        for flight in waiting:
            flight.waits_for.append(self)
        try:
            yield
        finally:
            for flight in waiting:
                flight.waits_for.remove(self)

    def leads_back(self) -> bool:
        """Whether it waits, at whatever remove, for a call that this code is part of.

        Asked inside `waited_for`, so that of calls that begin to wait for one another one at least sees it.
        """
        mine, seen, left = under_way.get(), set[Flight](), [self]
        while left:
            flight = left.pop()
            if flight in mine:
                return True
            if flight not in seen:
                seen.add(flight)
                left += tuple(flight.waits_for)
        return False

    def __enter__(self) -> Self:
        self._outer = under_way.set((*under_way.get(), self))
        return self

    async def __aenter__(self) -> Self:
        with suppress(RuntimeError):  # none runs, or one of another kind
            self._loop = asyncio.get_running_loop()
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tool.landed(self)
        if isinstance(error, Exception):
            self._future.set_exception(error)
        elif not self._future.done():
            self._future.set_result(GONE)
        with suppress(ValueError):  # a coroutine may be ended in another context: collected, or closed there
            under_way.reset(self._outer)

    def land(self, value: Any) -> Any:
        """The result is there; a copy of it is kept, so that the caller may do what it likes with its own."""
        try:
            shared, keeps = own(value), self._tool.keeps(value)
        except Exception as error:  # noqa: BLE001 - the code of whoever made the result, which is there
            self._tool.say(f"a result cannot be copied, or keep=… fails ({type(error).__name__})")
            shared, keeps = ALONE, False
        if keeps:
            self._tool.put(self, shared)
        self._future.set_result(shared)
        return value

    def wait(self) -> Any:
        """What came of it. Raises what the call raised."""
        return self._future.result()

    async def wait_async(self) -> Any:
        """The same, without holding up the loop."""
        return await asyncio.wrap_future(self._future)


def own(value: Any) -> Any:
    """A result for one caller alone."""
    return value if is_immutable(value) else deepcopy(value)
