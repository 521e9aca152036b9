"""Runs: whose calls these are, and what they have cost so far.

    with scrimp.run("nightly-report", user="u_42", task_type="report") as run:
        ...                               # every call inside is tagged, across asyncio tasks
        pool.submit(run.bind(work))       # and across threads, by `bind`
        print(run.cost, run.saved)

Runs nest: an inner run is a sub-agent of the outer one, and its calls count in both. A budget is hard: a call
that could go beyond it is not sent. An inner run's budget is carved out of the outer one's.
"""

from __future__ import annotations

import inspect
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC
from decimal import Decimal
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self, TypedDict, TypeVar, Unpack

import msgspec

from scrimp.core.budget import Ask, Held, Limit, Refusal, Scope, Settlement
from scrimp.core.budget_words import amount_of, describe
from scrimp.core.money import dollars
from scrimp.core.purse import Purse
from scrimp.core.record import Record, Tags
from scrimp.errors import BudgetExceeded, BudgetUnavailable, InputError
from scrimp.facts.models import default

__all__ = ["Run", "RunUsage", "around", "current_run", "current_tags", "run"]

P = ParamSpec("P")
T = TypeVar("T")


class RunTags(TypedDict, total=False):
    """Whose calls those of a run are; what is not said is as the run around it says."""

    user: str | None
    task_type: str | None
    agent: str | None
    team: str | None


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
        self,
        name: str,
        *,
        budget: str | int | Decimal | None = None,
        max_context: int | None = None,
        **tags: Unpack[RunTags],
    ) -> None:
        """`user`, `task_type`, `agent` and `team` say whose calls these are.

        `budget` is the most that the run may spend, in US dollars, as a string, an int or a `Decimal`: a call
        that could cost more than is left raises `BudgetExceeded` before anything is sent. `max_context` is
        the most tokens of input of one call: a longer prompt raises `ContextExceeded`. Raises `InputError`
        for what is no amount.
        """
        unknown = tags.keys() - RunTags.__annotations__.keys()
        if unknown:
            raise TypeError(f"run() has no argument {min(unknown)!r}")
        if max_context is not None and max_context <= 0:
            raise InputError(f"max_context: {max_context} is no number of tokens; say at least 1")
        self.name = name
        self._own = tags
        self._id = uuid.uuid4().hex
        self._parent: Run | None = None
        self._lock = threading.RLock()
        self._budget = None if budget is None else _amount(budget)
        self._max_context = max_context
        self._process = os.getpid()
        self._purse: Purse | None = None
        self._usage = RunUsage()
        self._cost = 0
        self._saved = 0
        self._estimated = 0
        self._context = 0
        self._window = 0

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
    def budget(self) -> Decimal | None:
        """US dollars that this run may spend; None: as much as the runs around it."""
        return None if self._budget is None else dollars(self._budget)

    @property
    def left(self) -> Decimal | None:
        """US dollars neither spent nor held for calls under way; None where no budget limits the run."""
        with self._lock:
            purse = self._nearest()
            return None if purse is None else dollars(purse.left)

    @property
    def max_context(self) -> int | None:
        """Tokens of input that one call of this run may have, by this run or one around it."""
        outer = self._parent.max_context if self._parent else None
        limits = [limit for limit in (self._max_context, outer) if limit is not None]
        return min(limits, default=None)

    @property
    def context(self) -> int:
        """Tokens of input of the longest call so far, cached or not."""
        return self._context

    @property
    def limited(self) -> bool:
        """Whether this run or one around it has a budget."""
        return self._nearest() is not None

    @property
    def tags(self) -> Tags:
        """What is written beside every call of this run."""
        outer = self._parent.tags if self._parent else Tags()
        said = {name: value for name, value in self._own.items() if value}
        own = {"run": (*outer.run, self.name), "run_ids": (*outer.run_ids, self._id)}
        return msgspec.structs.replace(outer, **own, **said)

    def reserve(self, ask: Ask) -> Held | Refusal | None:
        """Hold money for a call in the nearest budget; None where no run has one.

        Raises `BudgetUnavailable` in a process that was forked from the run's: its copy of the money is none.
        """
        with self._lock:
            purse = self._nearest(here=True)
            return None if purse is None else purse.reserve(ask.id, ask.amount)

    def release(self, hold: str) -> None:
        """A call was not billed."""
        with self._lock:
            purse = self._nearest()
            if purse is not None:
                purse.release(hold)

    def settle(self, settlement: Settlement) -> None:
        """A call was billed."""
        with self._lock:
            purse = self._nearest()
            if purse is not None:
                purse.settle(settlement)

    def book(self, record: Record) -> None:
        """Count a call of this run, and of every run around it."""
        with self._lock:
            self._usage.add(record)
            self._cost += record.cost
            self._saved += record.saved or 0
            self._estimated += not record.measured
            self._context = max(self._context, record.usage.total_input)
            self._window = default().resolve(record.model).window
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
        if self._budget is not None:
            lines.append(f"  budget ${self.budget:f}, ${self.left:f} left")
        if self._context:
            lines.append(
                f"  longest prompt {self._context:,} tokens, {_of_window(self._context, self._window)}"
            )
        if self._estimated:
            lines.append(f"  {self._estimated:,} of the calls had no whole answer: their cost is estimated")
        return "\n".join(lines)

    def bind(self, fn: Callable[P, T]) -> Callable[P, T]:
        """`fn` as part of this run, wherever it is called: threads do not inherit the run by themselves."""

        @wraps(fn)
        def bound(*args: P.args, **kwargs: P.kwargs) -> T:
            with around(self):
                return fn(*args, **kwargs)

        return bound

    def __enter__(self) -> Self:
        outer = current_run()
        if self._parent is None and outer is not self:
            self._parent = outer
        if self._budget is not None:
            self._open(self._budget)
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _entered.set(_entered.get()[:-1])
        if self not in _entered.get():
            self._close()

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
        return Run(self.name, budget=self.budget, max_context=self._max_context, **self._own)

    def _nearest(self, *, here: bool = False) -> Purse | None:
        """The purse that this run's calls are paid from; `here`: in this process."""
        if self._purse is None:
            return self._parent._nearest(here=here) if self._parent else None  # noqa: SLF001 - a run too
        if here and self._process != os.getpid():
            raise BudgetUnavailable(
                f"{self.name}: the budget of a run does not reach into a forked process; begin runs there, "
                "or limit all of them together with `scrimp budget set`"
            )
        return self._purse

    def _open(self, budget: int) -> None:
        """Have the budget, carved out of the nearest one around this run. Raises `BudgetExceeded`."""
        outer = self._parent
        if outer is not None:
            self._lock = outer._lock  # noqa: SLF001 - one lock for a tree of purses
        with self._lock:
            if self._purse is None:
                limit = Limit(scope=Scope("run", "/".join(self.tags.run)), amount=budget)
                self._purse = Purse(limit, self._id, outer._nearest(here=True) if outer else None)  # noqa: SLF001 - as above
            refused = self._purse.open()
        if refused is not None:
            raise BudgetExceeded(describe(refused, UTC), refused)

    def _close(self) -> None:
        with self._lock:
            if self._purse is not None:
                self._purse.close()


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


@contextmanager
def around(found: Run | None) -> Iterator[None]:
    """Code that belongs to this run (None: to none), wherever it goes on: a stream may be read anywhere."""
    token = _entered.set(() if found is None else (found,))
    try:
        yield
    finally:
        _entered.reset(token)


def _amount(budget: str | int | Decimal) -> int:
    """Picodollars of a budget; a float would not be the amount that was written."""
    if isinstance(budget, float):
        raise InputError(f'budget: say "{budget}", as a string: a float is not exactly what it shows')
    try:
        return amount_of(str(budget))
    except ValueError as error:
        raise InputError(f"budget: {error}") from None


def _of_window(tokens: int, window: int) -> str:
    return f"{tokens / window:.0%} of the model's window" if window else "of a window that is not known"


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"


def _difference(saved: Decimal) -> str:
    """Writing a prefix costs more at first, so that a run of one call may be dearer."""
    return f"${-saved:f} more so far than" if saved < 0 else f"saved ${saved:f} against"
