"""What a gateway is made of, put together from its settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from scrimp.core.workspace import Workspace
from scrimp.core.worst_case import worst_case
from scrimp.errors import InputError, StoreError
from scrimp.facts.models import default
from scrimp.gateway.app import App
from scrimp.gateway.callers import Callers
from scrimp.gateway.gate import Gate
from scrimp.gateway.gating import Gating
from scrimp.gateway.house import House
from scrimp.gateway.ids import Ids
from scrimp.gateway.levers import levers_of
from scrimp.gateway.limits import set_limits
from scrimp.gateway.messages import Ways
from scrimp.gateway.metrics import GatewayMetrics
from scrimp.gateway.offices import Offices
from scrimp.gateway.protocol import Allowed
from scrimp.gateway.relay import Relay
from scrimp.gateway.settings import Settings
from scrimp.gateway.shared import Shared
from scrimp.gateway.turns import Turns
from scrimp.gateway.upstream import Way
from scrimp.gateway.warm_requests import read_warm
from scrimp.gateway.warming import Means, keep_warm
from scrimp.gateway.watch import Watch
from scrimp.office import Listener, Office, Remembering
from scrimp.runs import Run
from scrimp.stores.keys import Keys
from scrimp.stores.leases import home_leases
from scrimp.stores.ledger import Ledger
from scrimp.stores.ledger_mark import home_ledger_mark
from scrimp.stores.opening import home_ledger
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.telemetry.call_log import CallLog

__all__ = ["IDLE_SECONDS", "Parts", "Stores"]

_DAY = 86_400.0

IDLE_SECONDS = 75.0
"""How long a connection is kept on which nothing is asked."""


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """Where a gateway keeps things; `ledger` and `learned` default to scrimp's home folder.

    `at_home` says that a `ledger` that is given is the one of that folder.
    """

    keys: Keys | None = None
    ledger: Ledger | None = None
    learned: str | Path | bool | None = None
    at_home: bool = False

    @property
    def home(self) -> bool:
        """Whether calls are written down in scrimp's home folder."""
        return self.at_home or self.ledger is None


class Parts:
    """The parts of one gateway."""

    def __init__(
        self,
        settings: Settings,
        upstream_keys: Mapping[str, str],
        *,
        stores: Stores,
        listeners: Sequence[Listener] = (),
        run: Run | None = None,
        clock: Callable[[], float] = time.time,
        shared: Shared | None = None,
    ) -> None:
        """Raises `InputError` for a `[[warm]]` that cannot be warmed."""
        self.settings = settings
        self.shared = shared
        self._stores = stores
        self._ledger = stores.ledger
        self._run = run
        self._clock = clock
        self._facts = default()
        limits, timeouts = settings.limits, settings.timeouts
        self.gate = Gate(limits.concurrent, limits.waiting, timeouts.turn)
        self.watch = Watch(
            min(timeouts.headers, timeouts.request, timeouts.turn, timeouts.answer, timeouts.silence)
        )
        self._gauges: dict[str, Callable[[], float]] = {
            "scrimp_in_flight": self.under_way,
            "scrimp_queued": lambda: self.gate.waiting,
            "scrimp_following": lambda: self._gating.following,
            "scrimp_ledger_queue": self._ledger_queue,
            "scrimp_log_lines_dropped": lambda: sum(
                one.dropped for one in listeners if isinstance(one, CallLog)
            ),
        }
        self.metrics = GatewayMetrics(settings.telemetry, self._gauges)
        claims = None if shared is None else shared.claims
        self._gating = Gating(settings.fanout, self.metrics.followed, claims)
        self._ids = Ids()
        self.turns = Turns()
        self._failures = [one.failed for one in listeners if isinstance(one, CallLog)]
        self._listeners = (self.metrics.calls, *listeners)
        mark = home_ledger_mark if stores.home else _unmarked
        counted = self.metrics if settings.telemetry.metrics else None
        self.house = House(self.ledger, counted, clock, mark, shared)
        self._callers = Callers(settings, upstream_keys, stores.keys)
        self._offices = Offices(self._office)
        self._warms = read_warm(settings, upstream_keys, self._facts, clock())

    def ledger(self) -> Ledger:
        """Where calls are written down. Raises `StoreError` or `InputError` where it cannot be opened."""
        found = self._ledger
        if found is None:
            found = self._ledger = home_ledger(_unheard)
        return found

    def under_way(self) -> int:
        """How many requests are being served; looking at the gateway's own pages is none."""
        return len(self.watch) - self.house.answering

    def begin(self) -> None:
        """Open the ledger, and set the limits that the settings name; what was spent before counts.

        Raises `StoreError` or `InputError` where that cannot be done.
        """
        set_limits(self.ledger(), self.settings.budgets, self._clock())

    def warm_up(self) -> None:
        """Load what the first call would wait for."""
        plain = "Hello, world: 3.14 llamas; bigger or not?\n" * 300
        for model in ("claude-opus-5-5", "claude-haiku-4-5"):
            messages = [{"role": "user", "content": "größer – 世界"}]  # ASCII and the rest are counted apart
            body = {"model": model, "system": plain, "messages": messages}
            Workspace(self._facts).plan(body, self._clock())
            worst_case(body, self._facts.resolve(model), facts=self._facts, at=self._clock())

    def app(self, way: Way) -> App:
        """The application, inside a running loop."""
        settings = self.settings
        ways = Ways(
            way=way,
            relay=Relay(silence=settings.timeouts.silence, turns=self.turns),
            ids=self._ids,
            clock=self._clock,
            metrics=self.metrics,
            gating=self._gating if settings.fanout.enabled else None,
            run=self._run,
            max_context=self._max_context(),
            retries=settings.limits.retries,
            answer_seconds=settings.timeouts.answer,
            turns=self.turns,
        )
        return App(
            settings,
            callers=self._callers,
            offices=self._offices,
            ways=ways,
            watch=self.watch,
            gate=self.gate,
            house=self.house,
            failures=self._failures,
        )

    async def keep_warm(self, way: Way) -> None:
        """Write prefixes before they are needed, as the settings say, until cancelled."""
        if not self._warms:
            return
        means = Means(
            offices=self._offices,
            gating=self._gating,
            way=way,
            ids=self._ids,
            facts=self._facts,
            clock=self._clock,
            leases=home_leases() if self._stores.home else None,
        )
        await keep_warm(self._warms, means)

    async def prune(self) -> None:
        """Once a day, drop records older than the settings say; until cancelled."""
        days = self.settings.serve.keep_days
        while days is not None:
            with suppress(StoreError, InputError):  # whatever it was, tomorrow is another day
                await asyncio.to_thread(self.ledger().prune, self._clock() - days * _DAY)
            await asyncio.sleep(_DAY)

    def _max_context(self) -> int | None:
        """The lowest of the ceilings that hold for every call."""
        ceilings = (self.settings.limits.context, self._run.max_context if self._run else None)
        return min((one for one in ceilings if one is not None), default=None)

    def allowed(self) -> Allowed:
        """What a connection may take."""
        limits, timeouts = self.settings.limits, self.settings.timeouts
        return Allowed(
            head_bytes=limits.headers,
            body_bytes=limits.body,
            batch_bytes=max(limits.body, limits.batch_body),
            head_seconds=timeouts.headers,
            request_seconds=timeouts.request,
            idle_seconds=IDLE_SECONDS,
        )

    def written(self) -> None:
        """Everything is on disk, or the ledger has said why not."""
        self._offices.close()
        self.house.close()
        with suppress(StoreError, InputError):
            self.ledger().flush()

    def _ledger_queue(self) -> int:
        ledger = self.ledger()
        return ledger.waiting if isinstance(ledger, SqliteLedger) else 0

    def _office(self, account: bytes) -> Office:
        stores = self._stores
        learned = stores.home if stores.learned is None else stores.learned
        return Office(
            Remembering(self._facts, self._clock, place=learned),
            self._ledger,  # opened: looking for the home folder would cost each call more than its plan
            clock=self._clock,
            facts=self._facts,
            capture=self.settings.serve.capture,
            listeners=self._listeners,
            levers=levers_of(self.settings, account.hex()),
        )


def _unmarked() -> str | None:
    """The ledger is not that of the home folder."""
    return None


def _unheard(reason: str) -> None:  # noqa: ARG001 - offices have told it already
    return
