"""`scrimp.Warmer`: keeps a prefix alive as long as reading it early is cheaper than writing it anew."""

from __future__ import annotations

import asyncio
import atexit
import threading
import warnings
from collections.abc import Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import anthropic

from scrimp.calls import is_async
from scrimp.core.keepalive import Advice, GapOdds, advise
from scrimp.errors import InputError, ScrimpError, ScrimpWarning
from scrimp.stores.leases import Leases
from scrimp.warming.job import Job
from scrimp.warming.warm import MARGIN, awarm_job, warm_job
from scrimp.warming.warmth import Warmth
from scrimp.wire.markers import TTL

__all__ = ["Warmer"]

_LEAD = MARGIN
_FAILURES = (anthropic.AnthropicError, ScrimpError, OSError)


class Warmer:
    """Warms the stable part of a request and keeps it alive: a context manager, async with async clients.

        with scrimp.Warmer(client, request, gaps=odds) as warmer:
            ...
            client.messages.create(**request)
            warmer.used()                    # from here on it is known when the next use may come

    `gaps` gives the probability that the next use comes within so many seconds of the last one, such as
    `middleware.gaps(request, label)` or `scrimp.core.keepalive.observed_gaps([…])`. Before each ping it is
    asked again: as soon as no ping pays this stops for good, and `stopped` says why; so it does after
    `most_pings` without a use, and after an error, of which one warning is given. A ping goes out `lead`
    seconds before the entry's life ends.
    """

    def __init__(
        self,
        client: Any,
        request: Mapping[str, Any],
        *,
        gaps: GapOdds,
        ttl: TTL | None = None,
        lead: float = _LEAD,
        most_pings: int = 100,
        leases: Leases | None = None,
    ) -> None:
        self._job = Job(client, request, ttl=ttl, leases=leases)
        self._odds = gaps
        self._lead = lead
        self._most_pings = most_pings
        self._is_async = is_async(client)
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self._used_at = self._expires_at = 0.0
        self._unanswered = 0
        self.pings = 0
        self.spent = Decimal(0)
        self.stopped: str | None = None
        if not 0 < lead < self._job.lifetime:
            raise InputError(
                f"lead={lead}: it must be within the {self._job.lifetime:g} seconds an entry lives"
            )

    def advice(self) -> Advice:
        """Whether the next ping would pay, and what it is expected to cost and to save."""
        now = self._job.clock()
        with self._lock:
            used_at, expires_at = self._used_at or now, self._expires_at or now + self._job.lifetime
        entry = self._job.entry(self._lead)
        return advise(entry, self._odds, away=now - used_at, expires_in=expires_at - now)

    def used(self, started_at: float | None = None) -> None:
        """A request that started then (epoch seconds, by default now) has used the prefix."""
        at = self._job.clock() if started_at is None else started_at
        with self._lock:
            self._used_at = max(self._used_at, at)
            self._expires_at = max(self._expires_at, at + self._job.lifetime)
            self._unanswered = 0
        self._job.used(at)

    def __enter__(self) -> Self:
        """Warm the prefix, and keep it alive in a thread."""
        if self._is_async:
            raise InputError("the client is async: use `async with`")
        if self._may_start():
            self._begin(warm_job(self._job, MARGIN))
            self._thread = threading.Thread(target=self._keep, name="scrimp-warmer", daemon=True)
            atexit.register(self._ends.set)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; a ping under way ends first."""
        self._ends.set()
        atexit.unregister(self._ends.set)
        if self._thread is not None:
            self._thread.join()

    async def __aenter__(self) -> Self:
        """Warm the prefix, and keep it alive in a task."""
        if not self._is_async:
            raise InputError("the client is not async: use `with`")
        if self._may_start():
            self._begin(await awarm_job(self._job, MARGIN))
            self._task = asyncio.create_task(self._akeep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; a ping under way is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _may_start(self) -> bool:
        refused = self._job.refused(None)
        self.stopped = refused.why if refused else None
        return refused is None

    def _begin(self, warmth: Warmth) -> None:
        self._used_at = (warmth.expires_at or self._job.clock() + self._job.lifetime) - self._job.lifetime
        self._count(warmth)

    def _pinged(self, warmth: Warmth) -> None:
        self.pings += warmth.sent
        self._count(warmth)

    def _count(self, warmth: Warmth) -> None:
        with self._lock:
            self.spent += warmth.cost
            if warmth.expires_at is None:
                self.stopped = warmth.why
            else:
                self._expires_at = max(self._expires_at, warmth.expires_at)

    def _keep(self) -> None:
        while (wait := self._wait()) is not None:
            if self._ends.wait(wait):
                return
            if self._is_due():
                try:
                    self._pinged(warm_job(self._job, self._lead))
                except _FAILURES as error:
                    self._fail(error)

    async def _akeep(self) -> None:
        while (wait := self._wait()) is not None:
            await asyncio.sleep(wait)
            if self._is_due():
                try:
                    self._pinged(await awarm_job(self._job, self._lead))
                except _FAILURES as error:
                    self._fail(error)

    def _wait(self) -> float | None:
        """Seconds until the next ping may be due; None once it is over."""
        if self.stopped is not None:
            return None
        with self._lock:
            return max(0.0, self._expires_at - self._lead - self._job.clock())

    def _is_due(self) -> bool:
        """Whether a ping goes out now: not when a use has prolonged the entry, nor when none pays."""
        with self._lock:
            if self._expires_at - self._lead > self._job.clock():
                return False
            self._unanswered += 1
            if self._unanswered > self._most_pings:
                self.stopped = f"nobody used the prefix for {self._most_pings:,} pings"
        if self.stopped is None and not self.advice().pays:
            self.stopped = "keeping it alive no longer pays"
        return self.stopped is None

    def _fail(self, error: Exception) -> None:
        self.stopped = f"a ping failed ({type(error).__name__})"
        reason = f"{self.stopped}: the prefix is no longer kept alive"
        warnings.warn(f"scrimp: {reason}", ScrimpWarning, stacklevel=2)
