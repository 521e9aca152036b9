"""The gateway's own pages: is it alive, should it get traffic, what has it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import orjson

from scrimp.core.budget import Standing
from scrimp.errors import BudgetUnavailable, InputError, StoreError
from scrimp.gateway.inbound import Inbound
from scrimp.gateway.metrics import CONTENT_TYPE, GatewayMetrics
from scrimp.gateway.refusals import RefusedError
from scrimp.gateway.shared import Shared
from scrimp.stores.ledger import Ledger

__all__ = ["LEDGER_HEADER", "PAGES", "House"]

PAGES = ("", "/healthz", "/readyz", "/metrics", "/api/hello")
"""Without a slash at their end. Claude Code asks for the last one to see whether anybody is there."""

LEDGER_HEADER = "x-scrimp-ledger"
"""In answers to `/healthz`: a mark of the ledger that is written (`home_ledger_mark`)."""

_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_TEXT = [(b"content-type", CONTENT_TYPE)]
_SECONDS = 5.0
_NO_HOLD = "readyz"


class House:
    """Answers for the gateway itself. It is not ready while it stops, nor without a ledger it can write."""

    def __init__(
        self,
        ledger: Callable[[], Ledger],
        metrics: GatewayMetrics | None,
        clock: Callable[[], float],
        mark: Callable[[], str | None],
        shared: Shared | None = None,
    ) -> None:
        """`ledger` opens the ledger; raises `StoreError` or `InputError` where it cannot. Without
        `metrics` there is no page of them. `mark` tells the ledger from others, `shared` of other workers.
        """
        self.draining = False
        self.answering = 0
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._mark = mark
        self._shared = shared
        if shared is not None and metrics is not None:
            shared.counting(metrics.count)
        self._threads = ThreadPoolExecutor(1, "scrimp-pages")
        self._probe: asyncio.Future[None] | None = None

    async def answer(self, inbound: Inbound) -> None:
        """Answer a request for one of the pages; raises `RefusedError` for any other."""
        self.answering += 1
        try:
            await self._answer(inbound)
        finally:
            self.answering -= 1

    async def _answer(self, inbound: Inbound) -> None:
        path = inbound.path.rstrip("/")
        if inbound.method not in ("GET", "HEAD") or path not in PAGES:
            raise RefusedError.for_good(404, "Not Found")
        if path == "/readyz":
            why = await self._fault()
            said = {"status": "ok"} if why is None else {"status": "not ready", "reason": why}
            await inbound.respond(200 if why is None else 503, _JSON, orjson.dumps(said))
        elif path == "/metrics":
            if self._metrics is None:
                raise RefusedError.for_good(404, "Not Found")
            loop = asyncio.get_running_loop()
            standings = await loop.run_in_executor(self._threads, self._standings)
            counts = [self._metrics.count()]
            if self._shared is not None:
                counts += await self._shared.counts(counts[0])
            await inbound.respond(200, _TEXT, self._metrics.exposition(standings, counts))
        else:
            mark = self._mark() if path == "/healthz" else None
            ours = [(LEDGER_HEADER.encode(), mark.encode())] if mark else []
            await inbound.respond(200, _JSON + ours, b'{"status":"ok"}')

    async def _fault(self) -> str | None:
        """Why it is not ready, in one line; None: it is."""
        if self.draining:
            return "the gateway is stopping"
        if self._shared is not None and not self._shared.ready:
            return "a worker of the gateway is starting"
        try:
            await asyncio.wait_for(asyncio.shield(self._probing()), _SECONDS)
        except (StoreError, InputError) as error:
            return f"the ledger cannot be written: {error}"
        except TimeoutError:
            return "the ledger takes too long to write"
        return None

    def _probing(self) -> asyncio.Future[None]:
        """One look at the ledger for all who ask while it takes."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.get_running_loop().run_in_executor(self._threads, self._flushed)
        return self._probe

    def close(self) -> None:
        """Wait for nothing more."""
        self._threads.shutdown(wait=False)

    def _flushed(self) -> None:
        """Write what is waiting, and something that changes nothing."""
        ledger = self._ledger()
        ledger.flush()
        ledger.budgets.release(_NO_HOLD).result(_SECONDS)

    def _standings(self) -> Sequence[Standing]:
        try:
            return self._ledger().budgets.standings(self._clock())
        except (BudgetUnavailable, StoreError, InputError):
            return ()
