"""`@scrimp.cached_tool`: a tool that is asked the same again answers from memory.

@scrimp.cached_tool(ttl=60)
def read_file(path: str) -> str: ...

Functions and coroutine functions, and the tools that the SDK's `@beta_tool` makes of them, above or below it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import wraps
from typing import Any, TypeVar, overload

from scrimp.caching_tools.tool import CacheInfo, RememberedTool, Scope, Settings, skipping
from scrimp.errors import InputError

__all__ = ["CacheInfo", "cached_tool"]

F = TypeVar("F")

_TTL = 300.0
_ENTRIES = 1_024
_BYTES = 64_000_000


class _CachedTool:
    """`scrimp.cached_tool`: see `__call__`."""

    @overload
    def __call__(self, tool: F, /) -> F: ...

    @overload
    def __call__(
        self,
        /,
        *,
        ttl: float | None = _TTL,
        scope: Scope = "run",
        pure: bool = True,
        key: Callable[..., Any] | None = None,
        keep: Callable[[Any], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        **bounds: int,
    ) -> Callable[[F], F]: ...

    def __call__(self, tool: Any = None, /, **settings: Any) -> Any:
        """A tool whose results are kept for `ttl` seconds (None: as long as there is room), by its arguments.

        As a decorator with or without settings. Arguments are the same when they are the same JSON-like
        values, however they are written; `key`, called with them, may say what stands for a call instead.
        Calls with other arguments are made every time, which is said once in a `ScrimpWarning`. While a call
        is under way, others like it, of any thread or task, wait for its result. An error reaches all of them
        and is not kept. Everybody gets a copy of their own.

        `scope="run"`: what one run (`scrimp.run`, its sub-agents included) was told, another asks anew;
        outside of runs, and with `scope="process"`, the process shares. `pure=False`: every call is made.
        `keep`, called with a result, says whether it may be given again. At most `max_entries` (1,024)
        results and about `max_bytes` (64 MB) are kept, those used last. `clock` gives seconds.

        What comes back also has `invalidate(…)`, which forgets all results or those of the arguments given,
        and `cache_info()`. Raises `InputError` for what cannot be cached.
        """
        chosen = _settings(**settings)
        if tool is None:
            return lambda tool: _cached(tool, chosen)
        return _cached(tool, chosen)

    @contextmanager
    def skip(self) -> Iterator[None]:
        """Inside, every cached tool is asked: no result is taken from memory, and none is kept."""
        token = skipping.set(True)
        try:
            yield
        finally:
            skipping.reset(token)


cached_tool = _CachedTool()


def _settings(
    *,
    ttl: float | None = _TTL,
    scope: Scope = "run",
    pure: bool = True,
    key: Callable[..., Any] | None = None,
    keep: Callable[[Any], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
    max_entries: int = _ENTRIES,
    max_bytes: int = _BYTES,
) -> Settings:
    if ttl is not None and not ttl > 0:
        raise InputError(f"cached_tool: ttl={ttl} keeps nothing; say seconds, or None for no limit")
    if scope not in ("run", "process"):
        raise InputError(f'cached_tool: scope={scope!r} should be "run" or "process"')
    if max_entries < 1 or max_bytes < 1:
        raise InputError("cached_tool: max_entries and max_bytes should be at least 1")
    return Settings(ttl, scope, pure, key, keep, clock, max_entries, max_bytes)


def _cached(tool: Any, settings: Settings) -> Any:
    if all(hasattr(tool, part) for part in ("call", "func", "to_dict")):
        return _cached_sdk_tool(tool, settings)
    if not callable(tool):
        raise InputError(f"cached_tool: expected a function or a tool, found {type(tool).__name__}")
    if inspect.isgeneratorfunction(tool) or inspect.isasyncgenfunction(tool):
        raise InputError(f"cached_tool: {tool.__name__} yields its results; return them as a list instead")
    return _wrapped(tool, RememberedTool(tool, settings))


def _wrapped(function: Any, kept: RememberedTool) -> Any:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def cached_async(*args: Any, **kwargs: Any) -> Any:
            return await kept.call_async(args, kwargs, lambda: function(*args, **kwargs))

        return _with_ways(cached_async, kept)

    @wraps(function)
    def cached(*args: Any, **kwargs: Any) -> Any:
        return kept.call(args, kwargs, lambda: function(*args, **kwargs))

    return _with_ways(cached, kept)


def _cached_sdk_tool(tool: Any, settings: Settings) -> Any:
    """The SDK's tool once more, with its function and its `call` answering from memory."""
    kept, twin = RememberedTool(tool.func, settings), copy(tool)
    twin.func = _wrapped(tool.func, kept)
    if inspect.iscoroutinefunction(tool.func):

        async def call_async(input: Any) -> Any:  # noqa: A002 - the SDK's name for it
            return await kept.call_async((), _named(input), lambda: tool.call(input))

        twin.call = call_async
    else:

        def call(input: Any) -> Any:  # noqa: A002 - the SDK's name for it
            return kept.call((), _named(input), lambda: tool.call(input))

        twin.call = call
    return _with_ways(twin, kept)


def _named(given: Any) -> dict[str, Any]:
    """The input of a call by name; what is none binds to nothing, so that the tool itself refuses it."""
    is_named = isinstance(given, dict) and all(isinstance(name, str) for name in given)
    return given if is_named else {"": None}


def _with_ways(tool: Any, kept: RememberedTool) -> Any:
    tool.invalidate, tool.cache_info = kept.invalidate, kept.cache_info
    return tool
