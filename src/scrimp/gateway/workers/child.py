"""The process of one worker."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
import warnings
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import uvloop

from scrimp.errors import ScrimpWarning
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Settings
from scrimp.gateway.workers.board import Board
from scrimp.gateway.workers.sharing import Alerted, Sharing
from scrimp.home import scrimp_home
from scrimp.stores.keys import home_keys
from scrimp.stores.opening import LEDGER_FILE
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.telemetry.building import Told

__all__ = ["Begin", "Lines", "own_settings", "work"]


class Begin(msgspec.Struct, frozen=True):
    """What a worker is told to begin with. `upstream_keys` are secrets."""

    number: int
    workers: int
    settings: Settings
    upstream_keys: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Begin(number={self.number}, workers={self.workers})"  # the keys are nobody's to see


class Lines(NamedTuple):
    """A worker's ends of what leads to the supervisor: to itself, to the ledger's writer, and from where
    connections come."""

    control: socket.socket
    books: socket.socket
    dealt: socket.socket


def work(begin: Begin, lines: Lines, memory: int) -> None:
    """Serve until SIGTERM comes or the supervisor goes. Ctrl-C goes to the supervisor, which tells."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    board = Board(memory, begin.workers)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(begin, board, lines))


def own_settings(settings: Settings, workers: int, number: int) -> Settings:
    """A worker's share of what all of them may take in, and of what one has to do.

    The supervisor has set the limits of money; the first worker prunes the ledger.
    """
    limits = settings.limits
    share = msgspec.structs.replace(
        limits,
        concurrent=math.ceil(limits.concurrent / workers),
        waiting=math.ceil(limits.waiting / workers),
        buffered=max(math.ceil(limits.buffered / workers), min(limits.buffered, limits.batch_body)),
    )
    days = settings.serve.keep_days if number == 0 else None
    serve = msgspec.structs.replace(settings.serve, keep_days=days)
    return msgspec.structs.replace(settings, serve=serve, limits=share, budgets=())


async def _serve(begin: Begin, board: Board, lines: Lines) -> None:
    sharing = Sharing(begin.number, board, lines.dealt)
    await sharing.open(lines.control, lines.books)
    settings = own_settings(begin.settings, begin.workers, begin.number)
    told = Told(settings.telemetry, base_url=settings.upstreams[settings.serve.upstream].base_url)
    ledger = SqliteLedger(scrimp_home(create=True) / LEDGER_FILE, warn=_tell, carrier=sharing.carrier)
    try:
        with told.whole():
            gateway = Gateway(
                settings,
                upstream_keys=begin.upstream_keys,
                stores=Stores(keys=home_keys(_tell), ledger=ledger, learned=True, at_home=True),
                listeners=[Alerted(sharing), *told.listeners],
                shared=sharing,
            )
            await gateway.work()
    finally:
        sharing.close()
        told.close()


def _tell(reason: str) -> None:
    warnings.warn(f"scrimp: {reason}", ScrimpWarning, stacklevel=2)
