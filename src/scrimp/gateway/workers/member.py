"""One worker, as the supervisor sees it."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import SpawnProcess
from time import monotonic

from scrimp.gateway.workers.board import Board, Handle
from scrimp.gateway.workers.channel import Channel
from scrimp.gateway.workers.child import Begin, Lines, work
from scrimp.gateway.workers.clerk import Clerk

__all__ = ["Member"]

_FIRST_REST, _LONGEST_REST = 0.1, 30.0
_SOUND_AFTER = 60.0
"""Seconds of life after which a crash is taken for the first one."""

# A process of its own, not a fork: threads and files of the supervisor must not cross.
_processes = multiprocessing.get_context("spawn")


class Member:
    """A place among the workers, and the process that has it now."""

    def __init__(self, begin: Begin, board: Board, clerk: Clerk) -> None:
        self.number = begin.number
        self.ready = False
        self.dealt = 0
        """Connections given to the process that is there now."""
        self._begin = begin
        self._board = board
        self._clerk = clerk
        self._channel: Channel | None = None
        self._process: SpawnProcess | None = None
        self._line: socket.socket | None = None
        self._watching: asyncio.Task[None] | None = None
        self._began_at = 0.0
        self._rest = 0.0

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def open(self) -> int:
        """Connections that it has, as far as is known."""
        return self.dealt - self._board.closed(self.number)

    async def start(self, heard: Callable[[memoryview], None], ended: Callable[[Member, int], None]) -> None:
        """Begin a process. `heard` gets what it says, `ended` its exit code once all it said was heard."""
        loop = asyncio.get_running_loop()
        self._board.begin(self.number)
        self.ready, self.dealt, self._began_at = False, 0, monotonic()
        control, its_control = socket.socketpair()
        books, its_books = socket.socketpair()
        self._line, its_line = socket.socketpair()
        self._line.settimeout(0.0)
        its = Lines(its_control, its_books, its_line)
        process = _processes.Process(
            target=work,
            args=(self._begin, its, Handle(self._board.memory)),
            name=f"scrimp worker {self.number}",
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which it inherits
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for line in its:
            line.close()
        self._process = process
        exited, silent, written = loop.create_future(), loop.create_future(), loop.create_future()
        channel = self._channel = Channel(heard, lambda: silent.set_result(None))
        await loop.create_unix_connection(lambda: channel, sock=control)
        self._clerk.serve(books, lambda: written.set_result(None))
        loop.add_reader(process.sentinel, exited.set_result, None)
        exited.add_done_callback(lambda _: loop.remove_reader(process.sentinel))
        self._watching = loop.create_task(self._watch((exited, silent, written), ended))

    def say(self, message: bytes) -> None:
        """Tell it something."""
        if self._channel is not None:
            self._channel.send(message)

    def give(self, connection: socket.socket) -> bool:
        """Hand over a connection; whether it can take one just now."""
        if self._line is None:
            return False
        try:
            socket.send_fds(self._line, [b"c"], [connection.fileno()])
        except OSError:  # its line is full, or it has just died
            return False
        self.dealt += 1
        return True

    def stop(self) -> None:
        """Let it finish what is under way; a second time: at once."""
        if self._process is not None:
            with suppress(OSError):
                self._process.terminate()

    def kill(self) -> None:
        """It is gone."""
        if self._process is not None:
            with suppress(OSError):
                self._process.kill()

    def rest(self) -> float:
        """Seconds to wait before it is begun again: longer from crash to crash."""
        sound = monotonic() - self._began_at > _SOUND_AFTER
        self._rest = _FIRST_REST if sound or not self._rest else min(_LONGEST_REST, 2.0 * self._rest)
        return self._rest

    async def _watch(
        self,
        ends: tuple[asyncio.Future[None], ...],
        ended: Callable[[Member, int], None],
    ) -> None:
        process, line = self._process, self._line
        if process is None or line is None:
            return
        for end in ends:  # what it said last is heard, though it is dead
            await end
        process.join()
        code = process.exitcode or 0
        process.close()
        line.close()
        self._process = self._line = self._channel = None
        self.ready = False
        self._board.begin(self.number)
        ended(self, code)
