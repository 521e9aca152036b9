"""A gateway that runs: in a thread of its own on any port, or as the whole process until told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

import uvloop
from uvicorn.server import ServerState

from scrimp.asgi.listening import BACKLOG, finished, quiet_config
from scrimp.errors import ScrimpError
from scrimp.gateway.buffered import Buffered
from scrimp.gateway.door import Door
from scrimp.gateway.lasting import lasting
from scrimp.gateway.parts import IDLE_SECONDS, Parts, Stores
from scrimp.gateway.protocol import GatewayProtocol
from scrimp.gateway.settings import Settings
from scrimp.gateway.shared import Shared
from scrimp.gateway.upstream import Way
from scrimp.gateway.watch import Watch
from scrimp.office import Listener
from scrimp.runs import Run

__all__ = ["Gateway", "Stores", "tell_of_waiting", "tuned"]

_LOG = logging.getLogger("scrimp")
_START_SECONDS = 30.0
_CUT_SECONDS = 5.0
_GC_THRESHOLDS = (50_000, 20, 500)
"""Calls under way are many objects, and free themselves: they alone should not set off a look for cycles."""
_SWITCH_SECONDS = 0.0005


class Gateway:
    """Serves the Messages API in front of the provider's; a context manager that does so from a thread.

    Several may run side by side. `upstream_keys` are the secrets that pay for calls with virtual keys, by
    the name of their upstream. `run` is around every call: its tags are theirs, its budget holds for them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        upstream_keys: Mapping[str, str] | None = None,
        stores: Stores | None = None,
        listeners: Sequence[Listener] = (),
        run: Run | None = None,
        clock: Callable[[], float] = time.time,
        shared: Shared | None = None,
    ) -> None:
        """`shared` is for one of several workers, which has no port of its own.

        Raises OSError when the port is taken, `StoreError` when a limit of the settings cannot be kept,
        `InputError` for a prefix that cannot be kept warm.
        """
        self._parts = Parts(
            settings,
            upstream_keys or {},
            stores=stores or Stores(),
            listeners=listeners,
            run=run,
            clock=clock,
            shared=shared,
        )
        self._parts.begin()
        self._shared = shared
        self._socket = _listening(settings) if shared is None else None
        self.host: str
        self.port: int
        self.host, self.port = ("", 0) if self._socket is None else self._socket.getsockname()[:2]
        self._drain_seconds = settings.timeouts.drain
        self._connect_seconds = settings.timeouts.connect
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL to give to clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def errors(self) -> Mapping[int, int]:
        """The calls that were answered with an error, by status; to be asked once the gateway has stopped."""
        return self._parts.metrics.errors()

    def start(self) -> Self:
        """Serve from a thread; returns once requests are answered. Raises `ScrimpError`."""
        self._thread = threading.Thread(target=self._run, name="scrimp-gateway", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or self._stopping is None:
            raise ScrimpError("the gateway did not start")
        return self

    def stop(self) -> None:
        """Stop taking requests, finish those under way, write down everything, and end the thread."""
        loop, stopping, thread = self._loop, self._stopping, self._thread
        if loop is not None and stopping is not None:
            with suppress(RuntimeError):  # the loop is closed: it stopped by itself
                loop.call_soon_threadsafe(stopping.set)
        if thread is not None:
            thread.join(self._drain_seconds + 2 * _CUT_SECONDS + _START_SECONDS)
        self._close()

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve in the main thread until SIGTERM or SIGINT; a second one cuts what is under way.

        `ready` is called once requests are answered.
        """
        self._parts.warm_up()
        tuned()
        self._run(signals=(signal.SIGTERM, signal.SIGINT), ready=ready)
        self._close()

    async def work(self) -> None:
        """Serve as one of several workers, until SIGTERM comes or the supervisor is gone."""
        self._parts.warm_up()
        tuned()
        await self._main((signal.SIGTERM,), None)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, signals: Sequence[signal.Signals] = (), ready: Callable[[], None] | None = None) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main(signals, ready))
        finally:
            self._ready.set()

    async def _main(self, signals: Sequence[signal.Signals], ready: Callable[[], None] | None) -> None:
        loop = self._loop = asyncio.get_running_loop()
        stopping = self._stopping = asyncio.Event()
        parts = self._parts
        watch, way = parts.watch, Way(connect_seconds=self._connect_seconds)
        app = parts.app(way)
        config, allowed = quiet_config(app, keep_alive=IDLE_SECONDS), parts.allowed()
        make = partial(
            GatewayProtocol,
            app.serve,
            config,
            allowed=allowed,
            buffered=Buffered(parts.settings.limits.buffered),
        )
        door = Door(make, self._shared)
        await door.open(self._socket)
        state = door.state
        looks = partial(_look, state)
        beside = [
            asyncio.create_task(lasting("ending what takes too long", partial(watch.run, looks), rest=1.0)),
            asyncio.create_task(parts.keep_warm(way)),
            asyncio.create_task(lasting("pruning the ledger", parts.prune)),
        ]
        for number in signals:
            loop.add_signal_handler(number, _told, stopping, parts)
        self._ready.set()
        door.serve(stopping.set)
        if ready is not None:
            ready()
        await stopping.wait()
        parts.house.draining = True  # who comes now is told so, as load balancers want it
        for task in beside[1:]:
            task.cancel()
        await self._drain(state, watch)
        door.close()
        await finished(state, _CUT_SECONDS)
        beside[0].cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await way.close()
        parts.turns.finish()
        await asyncio.to_thread(parts.written)

    async def _drain(self, state: ServerState, watch: Watch) -> None:
        """Let what is under way finish, then cut what is left; all of it is written down."""
        for connection in tuple(state.connections):
            connection.shutdown()
        if not await watch.empty(self._drain_seconds):
            watch.end("draining")

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()


def _listening(settings: Settings) -> socket.socket:
    return socket.create_server((settings.serve.host, settings.serve.port), backlog=BACKLOG)


def tuned() -> None:
    """For a process that does nothing else: what is there stays, and the writer's turns are short.

    Counting references frees nearly everything; looking through the rest often would make streams stutter.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)


def _told(stopping: asyncio.Event, parts: Parts) -> None:
    """A signal came."""
    if stopping.is_set():
        parts.watch.end("draining")
    elif parts.shared is not None:
        parts.shared.stopping(parts.under_way())
    else:
        tell_of_waiting(parts.under_way(), parts.settings.timeouts.drain)
    stopping.set()


def tell_of_waiting(under_way: int, seconds: float) -> None:
    """Say how many calls are waited for, at the most for so long; nothing where there are none."""
    if under_way:
        calls = "1 call under way is" if under_way == 1 else f"{under_way:,} calls under way are"
        _LOG.warning(
            "scrimp: stopping: %s waited for, at most %g seconds; another Ctrl-C or SIGTERM cuts that off",
            calls,
            seconds,
        )


def _look(state: ServerState, now: float) -> None:
    for connection in tuple(state.connections):
        if isinstance(connection, GatewayProtocol):
            connection.look(now)
