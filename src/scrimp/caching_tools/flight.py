"""One call of a tool under way: who makes it, and who waits for what comes of it, thread or task."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextvars import ContextVar
from copy import Error as CopyError
from copy import deepcopy
from types import TracebackType
from typing import Any, Final, Protocol, Self

from scrimp.core.tool_cache import Key, is_immutable

__all__ = ["ALONE", "GONE", "Flight", "own", "under_way"]

_NOT_COPIED = (TypeError, ValueError, AttributeError, RuntimeError, CopyError)
"""What copying raises for objects that are not made for it: generators, locks, clients."""

under_way: ContextVar[tuple[Flight, ...]] = ContextVar("scrimp_tools_under_way", default=())
"""Calls that this code is part of: one that leads to itself again must not wait for itself."""


class Gone:
    """In place of a result: none came, because the call was cancelled."""


class Alone:
    """In place of a result: it cannot be copied, so that everybody has to ask."""


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
        self._tool = tool
        self._future: Future[Any] = Future()
        self._future.set_running_or_notify_cancel()  # a waiter that is cancelled cancels nobody else

    def __enter__(self) -> Self:
        self._outer = under_way.set((*under_way.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        under_way.reset(self._outer)
        self._tool.landed(self)
        if isinstance(error, Exception):
            self._future.set_exception(error)
        elif not self._future.done():
            self._future.set_result(GONE)

    def land(self, value: Any) -> Any:
        """The result is there; a copy of it is kept, so that the caller may do what it likes with its own."""
        try:
            shared = value if is_immutable(value) else deepcopy(value)
        except _NOT_COPIED:
            self._tool.say("its results cannot be copied")
            self._future.set_result(ALONE)
            return value
        if self._tool.keeps(value):
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
