"""Runs: whose calls these are, and what they have cost so far.

    with scrimp.run("nightly-report", user="u_42", task_type="report") as run:
        ...                               # every call inside is tagged, across asyncio tasks
        pool.submit(run.bind(work))       # and across threads, by `bind`
        print(run.cost, run.saved)

Runs nest: an inner run is a sub-agent of the outer one, and its calls count in both.
"""

from __future__ import annotations

import inspect
import threading
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from decimal import Decimal
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from scrimp.core.money import dollars
from scrimp.core.record import Record, Tags

__all__ = ["Run", "RunUsage", "current_run", "current_tags", "run"]

P = ParamSpec("P")
T = TypeVar("T")


class RunUsage:
    """Tokens of a run so far, by what they cost: `plain`, `write_5m`, `write_1h`, `read` and `output`."""

    __slots__ = ("calls", "output", "plain", "read", "write_1h", "write_5m")

    def __init__(self) -> None:
        self.calls = self.plain = self.write_5m = self.write_1h = self.read = self.output = 0

    @property
    def input(self) -> int:
        """Every token of input, cached or not."""
        return self.plain + self.write_5m + self.write_1h + self.read

    def add(self, record: Record) -> None:
        """Count one attempt."""
        usage = record.usage
        self.calls += 1
        self.plain += usage.input_tokens
        self.write_5m += usage.write_5m
        self.write_1h += usage.write_1h
        self.read += usage.cache_read_input_tokens
        self.output += usage.output_tokens

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={getattr(self, name):,}" for name in self.__slots__)
        return f"RunUsage({parts})"


class Run:
    """One run of an agent: a context manager, sync and async, and a decorator; threads may share it."""

    def __init__(
        self, name: str, *, user: str | None = None, task_type: str | None = None, agent: str | None = None
    ) -> None:
        self.name = name
        self._own = {"user": user, "task_type": task_type, "agent": agent}
        self._id = uuid.uuid4().hex
        self._parent: Run | None = None
        self._lock = threading.Lock()
        self._usage = RunUsage()
        self._cost = 0
        self._saved = 0
        self._estimated = 0

    @property
    def id(self) -> str:
        """Unique id of this run."""
        return self._id

    @property
    def cost(self) -> Decimal:
        """US dollars so far, sub-agents included."""
        return dollars(self._cost)

    @property
    def saved(self) -> Decimal:
        """US dollars below what the callers' own requests would have cost; an estimate of the same model."""
        return dollars(self._saved)

    @property
    def usage(self) -> RunUsage:
        """Tokens so far, sub-agents included."""
        return self._usage

    @property
    def tags(self) -> Tags:
        """What is written beside every call of this run."""
        outer = self._parent.tags if self._parent else Tags()
        own = {name: value or getattr(outer, name) for name, value in self._own.items()}
        return Tags(run=(*outer.run, self.name), run_ids=(*outer.run_ids, self._id), **own)

    def book(self, record: Record) -> None:
        """Count a call of this run, and of every run around it."""
        with self._lock:
            self._usage.add(record)
            self._cost += record.cost
            self._saved += record.saved or 0
            self._estimated += not record.measured
        if self._parent:
            self._parent.book(record)

    def receipt(self) -> str:
        """A few lines for people: calls, tokens, dollars, and what is estimated."""
        usage = self._usage
        share = usage.read / usage.input if usage.input else 0.0
        lines = [
            f"{self.name}: {usage.calls:,} {_calls(usage.calls)}, ${self.cost:f}",
            f"  input {usage.input:,} tokens, {share:.1%} read from the cache; output {usage.output:,}",
            f"  {_difference(self.saved)} the requests as they were written (estimated)",
        ]
        if self._estimated:
            lines.append(f"  {self._estimated:,} of the calls had no whole answer: their cost is estimated")
        return "\n".join(lines)

    def bind(self, fn: Callable[P, T]) -> Callable[P, T]:
        """`fn` as part of this run, wherever it is called: threads do not inherit the run by themselves."""

        @wraps(fn)
        def bound(*args: P.args, **kwargs: P.kwargs) -> T:
            token = _entered.set((self,))
            try:
                return fn(*args, **kwargs)
            finally:
                _entered.reset(token)

        return bound

    def __enter__(self) -> Self:
        outer = current_run()
        if self._parent is None and outer is not self:
            self._parent = outer
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _entered.set(_entered.get()[:-1])

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """As a decorator: every call of `fn` is a run of its own with this name and these tags."""
        if inspect.iscoroutinefunction(fn):

            @wraps(fn)
            async def in_async_run(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await fn(*args, **kwargs)

            return in_async_run  # type: ignore[return-value]  # a coroutine function again

        @wraps(fn)
        def in_run(*args: P.args, **kwargs: P.kwargs) -> T:
            with self._again():
                return fn(*args, **kwargs)

        return in_run

    def _again(self) -> Run:
        return Run(self.name, **self._own)


run = Run
"""`scrimp.run(name, user=…, task_type=…)`."""

_entered: ContextVar[tuple[Run, ...]] = ContextVar("scrimp_runs", default=())
"""Runs entered around this code, innermost last; kept by context, so that threads and tasks do not mix."""


def current_run() -> Run | None:
    """The innermost run around this code, if any."""
    entered = _entered.get()
    return entered[-1] if entered else None


def current_tags() -> Tags:
    """Whose calls these are."""
    found = current_run()
    return found.tags if found else Tags()


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"


def _difference(saved: Decimal) -> str:
    """Writing a prefix costs more at first, so that a run of one call may be dearer."""
    return f"${-saved:f} more so far than" if saved < 0 else f"saved ${saved:f} against"
