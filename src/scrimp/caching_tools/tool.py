"""One tool and what it answered: results kept, calls under way, and whose they are."""

from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

from scrimp.caching_tools.flight import ALONE, GONE, Flight, own
from scrimp.core.tool_cache import Key, Results, arguments_key
from scrimp.errors import InputError, ScrimpWarning
from scrimp.runs import current_tags
from scrimp.stores.forking import survive_forks
from scrimp.tool_servings import owner_of, served

__all__ = ["CacheInfo", "RememberedTool", "Scope", "Settings", "skipping"]

Scope = Literal["run", "process"]

skipping: ContextVar[bool] = ContextVar("scrimp_tool_cache_skipped", default=False)
"""Whether this code asks every tool itself."""


class Settings(NamedTuple):
    """What `scrimp.cached_tool` was told."""

    ttl: float | None
    scope: Scope
    pure: bool
    key: Callable[..., Any] | None
    keep: Callable[[Any], bool] | None
    clock: Callable[[], float]
    max_entries: int
    max_bytes: int


class CacheInfo(NamedTuple):
    """How a cached tool fares: results served, calls made, results kept."""

    hits: int
    misses: int
    entries: int


class _Served(NamedTuple):
    value: Any


class RememberedTool:
    """One cached function: its results, and its calls under way."""

    def __init__(self, function: Any, settings: Settings) -> None:
        self._settings = settings
        self.name = getattr(function, "__name__", type(function).__name__)
        self._signature = inspect.Signature() if settings.key else _signature_of(function, self.name)
        self._lock = threading.RLock()  # a call that is collected ends wherever the collector runs
        self._results = Results(ttl=settings.ttl, most=settings.max_entries, most_bytes=settings.max_bytes)
        self._flights: dict[tuple[int, Key], Flight] = {}
        self._generation = 0
        self._hits = self._misses = 0
        self._said: set[str] = set()
        survive_forks(self)

    def call(self, args: Any, kwargs: Any, compute: Callable[[], Any]) -> Any:
        """The result of a function: kept, of a call under way, or new."""
        while True:
            step = self._begin(args, kwargs)
            if step is None:
                return compute()
            if isinstance(step, _Served):
                return self._served(step.value)
            flight, leads = step
            if leads:
                with flight:
                    return flight.land(compute())
            with flight.waited_for():
                result = ALONE if flight.leads_back() else flight.wait()
            if result is ALONE:
                return compute()
            if result is not GONE:
                return self._served(result)

    async def call_async(self, args: Any, kwargs: Any, compute: Callable[[], Any]) -> Any:
        """The same of a coroutine function."""
        while True:
            step = self._begin(args, kwargs)
            if step is None:
                return await compute()
            if isinstance(step, _Served):
                return self._served(step.value)
            flight, leads = step
            if leads:
                async with flight:
                    return flight.land(await compute())
            with flight.waited_for():
                result = ALONE if flight.leads_back() else await flight.wait_async()
            if result is ALONE:
                return await compute()
            if result is not GONE:
                return self._served(result)

    def invalidate(self, *args: Any, **kwargs: Any) -> None:
        """Forget what was kept, in every run: of these arguments, or without any of all.

        A call under way still answers who waits for it, and is not kept. Raises `InputError` for arguments
        that are never kept.
        """
        digest = self._digest(args, kwargs) if args or kwargs else None
        if isinstance(digest, str):
            raise InputError(f"cached_tool: {self.name} keeps nothing for these arguments")
        with self._lock:
            self._generation += 1
            self._results.forget(digest)

    def cache_info(self) -> CacheInfo:
        """How many results were served from memory, how many calls were made, how many results are kept."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, len(self._results))

    def keeps(self, value: Any) -> bool:
        """Whether this result may be given again."""
        keep = self._settings.keep
        return keep is None or bool(keep(value))

    def put(self, flight: Flight, value: Any) -> None:
        """Keep a result, unless what was known was said to be out of date meanwhile."""
        with self._lock:
            if flight.generation == self._generation and self._is_known(flight):
                self._results.put(flight.key, value, flight.began)

    def landed(self, flight: Flight) -> None:
        """A call is over."""
        with self._lock:
            if self._is_known(flight):
                del self._flights[flight.generation, flight.key]

    def say(self, why: str) -> None:
        """Warn once of why results are not kept; where warnings are errors, the tool still answers."""
        if why not in self._said:
            self._said.add(why)
            with suppress(ScrimpWarning):
                warnings.warn(f"cached_tool: {self.name} is not cached: {why}", ScrimpWarning, stacklevel=4)

    def pause(self) -> None:
        """See `forking.Forkable`."""
        self._lock.acquire()

    def resume(self) -> None:
        """See `forking.Forkable`."""
        self._lock.release()

    def restart(self) -> None:
        """See `forking.Forkable`: whoever was calling is not in this process."""
        self._flights.clear()
        self._lock.release()

    def _begin(self, args: Any, kwargs: Any) -> _Served | tuple[Flight, bool] | None:
        """A kept result; a call under way and whether it is ours to make; None: nothing is kept of this."""
        if not self._settings.pure or skipping.get():
            return None
        digest = self._digest(args, kwargs)
        if isinstance(digest, str):
            if digest:
                self.say(f"its argument {digest!r} is no JSON-like value; key=… may say what stands for it")
            return None
        owner = owner_of(current_tags())
        key = (owner if self._settings.scope == "run" else "", digest)
        now = self._settings.clock()
        with self._lock:
            found = self._results.get(key, now)
            flight, leads = (None, False) if found else self._flight(key, now)
        if found is not None:
            return _Served(found.value)
        return None if flight is None else (flight, leads)

    def _flight(self, key: Key, now: float) -> tuple[Flight, bool]:
        flight = self._flights.get((self._generation, key))
        if flight is not None and not flight.stands:
            return flight, False
        flight = self._flights[self._generation, key] = Flight(self, key, self._generation, now)
        self._misses += 1
        return flight, True

    def _is_known(self, flight: Flight) -> bool:
        """Whether it is the call that others wait for: one that stands still is passed over."""
        return self._flights.get((flight.generation, flight.key)) is flight

    def _served(self, result: Any) -> Any:
        with self._lock:
            self._hits += 1
        served(owner_of(current_tags()), self.name)
        return own(result)

    def _digest(self, args: Any, kwargs: Any) -> bytes | str:
        """What stands for the arguments; else the name of one that nothing stands for, "" for wrong ones."""
        key = self._settings.key
        if key is not None:
            return arguments_key({"key": key(*args, **kwargs)})
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            return ""
        bound.apply_defaults()
        return arguments_key(bound.arguments)


def _signature_of(function: Any, name: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        raise InputError(f"cached_tool: {name} does not say what arguments it takes; say key=…") from None
