"""The supervisor: several workers behind one port, their ledger, and what they share.

It starts the workers, begins crashed ones anew, and ends when all of them have finished what was under way.
It serves no call itself: it takes connections in, writes the ledger for all of them, and sends the alerts.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import uvloop

from scrimp.asgi.listening import BACKLOG
from scrimp.errors import ScrimpError
from scrimp.gateway.limits import set_limits
from scrimp.gateway.serving import tell_of_waiting, tuned
from scrimp.gateway.settings import Settings
from scrimp.gateway.workers.board import Board, open_memory
from scrimp.gateway.workers.child import Begin
from scrimp.gateway.workers.clerk import Clerk
from scrimp.gateway.workers.counting import Counting
from scrimp.gateway.workers.dealing import Dealing
from scrimp.gateway.workers.member import Member
from scrimp.gateway.workers.words import (
    Counted,
    Missed,
    Ready,
    Refused,
    Stopping,
    WantCounts,
    from_worker,
)
from scrimp.home import scrimp_home
from scrimp.office import Listener
from scrimp.office.listening import Audience
from scrimp.stores.opening import LEDGER_FILE
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["Fleet"]

_LOG = logging.getLogger("scrimp")
_START_SECONDS = 60.0
_BEYOND_DRAIN = 45.0
"""Seconds beyond the time for draining after which a worker that has not ended is ended."""


class Fleet:
    """A gateway of several processes, in front of the ledger of scrimp's home folder."""

    def __init__(
        self,
        settings: Settings,
        *,
        upstream_keys: Mapping[str, str],
        listeners: Sequence[Listener] = (),
        workers: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`listeners` hear of all calls' records, crossings, misses and refusals, here in the supervisor.

        Raises as `Gateway`.
        """
        self._settings = settings
        self._ledger = SqliteLedger(scrimp_home(create=True) / LEDGER_FILE, warn=_LOG.warning)
        set_limits(self._ledger, settings.budgets, clock())
        self._audience = Audience(listeners, _warned)
        self._socket = socket.create_server((settings.serve.host, settings.serve.port), backlog=BACKLOG)
        self.host, self.port = self._socket.getsockname()[:2]
        self._clerk = Clerk(self._ledger, self._audience, _warned)
        self._board = Board(open_memory(), workers)
        self._members = [
            Member(Begin(number, workers, settings, upstream_keys), self._board, self._clerk)
            for number in range(workers)
        ]
        self._dealing = Dealing(self._socket, self._members)
        self._counting = Counting(self._members)
        self._was_ready = asyncio.Event()
        self._over = asyncio.Event()
        self._stopping = False
        self._fault: str | None = None
        self._waited_for: list[int] = []
        self._again: dict[int, asyncio.TimerHandle] = {}
        self._starting: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL to give to clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until SIGTERM or SIGINT; a second one cuts what is under way.

        `ready` is called once all workers answer calls. Raises `ScrimpError` where one cannot start.
        """
        tuned()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main(ready))
        finally:
            for member in self._members:
                member.kill()
            self._clerk.close()
            self._ledger.close()
            self._socket.close()
            self._board.close()
        if self._fault is not None:
            raise ScrimpError(self._fault)

    async def _main(self, ready: Callable[[], None] | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told)
        for member in self._members:
            await self._start(member)
        late = loop.call_later(_START_SECONDS, self._too_late)
        over, up = (asyncio.create_task(event.wait()) for event in (self._over, self._was_ready))
        await asyncio.wait((over, up), return_when=asyncio.FIRST_COMPLETED)
        late.cancel()
        if ready is not None and not self._over.is_set() and not self._stopping:
            ready()
        await over
        up.cancel()
        self._dealing.close()

    async def _start(self, member: Member) -> None:
        await member.start(partial(self._heard, member), self._ended)
        if self._stopping:
            member.stop()

    def _heard(self, member: Member, message: memoryview) -> None:
        match from_worker.decode(message):
            case Ready():
                member.ready = True
                if self._board.ready:
                    self._was_ready.set()
                if self._was_ready.is_set():
                    self._dealing.look()
            case Missed(diagnosis, tags):
                self._audience.missed(diagnosis, tags)
            case Refused(refusal, tags):
                self._audience.refused(refusal, tags)
            case Stopping(under_way):
                self._waited_for.append(under_way)
                if len(self._waited_for) == sum(one.ready for one in self._members):
                    tell_of_waiting(sum(self._waited_for), self._settings.timeouts.drain)
            case WantCounts(number, count):
                self._counting.wanted(member, number, count)
            case Counted(count):
                self._counting.came(member, count)

    def _ended(self, member: Member, code: int) -> None:
        """The process of a worker is gone."""
        self._counting.gone(member)
        self._dealing.look()
        if not self._stopping and not self._was_ready.is_set():
            self._fault = f"a worker of the gateway could not start (it ended with {code})"
            self._stop()
        if self._stopping:
            if not any(one.alive for one in self._members) and not self._starting:
                self._over.set()
            return
        rest = member.rest()
        _LOG.warning(
            "scrimp: worker %d ended unexpectedly (%d) and begins anew in %g s", member.number, code, rest
        )
        loop = asyncio.get_running_loop()
        self._again[member.number] = loop.call_later(rest, self._begin_anew, member)

    def _begin_anew(self, member: Member) -> None:
        del self._again[member.number]
        task = asyncio.get_running_loop().create_task(self._start(member))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def _told(self) -> None:
        """A signal came."""
        self._stop()

    def _too_late(self) -> None:
        self._fault = f"the workers of the gateway were not ready within {_START_SECONDS:g} seconds"
        self._stop()
        for member in self._members:
            member.kill()

    def _stop(self) -> None:
        """Have every worker finish; a second time: at once."""
        loop = asyncio.get_running_loop()
        if not self._stopping:
            self._stopping = True
            loop.call_later(self._settings.timeouts.drain + _BEYOND_DRAIN, self._kill)
        for again in self._again.values():
            again.cancel()
        self._again.clear()
        for member in self._members:
            member.stop()
        if not any(member.alive for member in self._members) and not self._starting:
            self._over.set()

    def _kill(self) -> None:
        for member in self._members:
            member.kill()


def _warned(what: str, error: BaseException) -> None:
    """Something failed: by its kind alone, since its text may hold a prompt."""
    _LOG.warning("scrimp: %s (%s)", what, type(error).__name__)
