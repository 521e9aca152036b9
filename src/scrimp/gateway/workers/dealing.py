"""Connections, dealt out: each goes to the worker that has the fewest.

A port that processes share by themselves does worse: where all of them listen, whoever wakes first takes
whatever came together, and where the system spreads connections by their address, it does so by chance, not
at all on macOS, and those that wait for a process that dies are lost. Connections are kept for minutes, so it
matters where each of them goes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress

from scrimp.gateway.workers.member import Member

__all__ = ["Dealing"]

_AT_ONCE = 64
_REST = 0.02


class Dealing:
    """Takes connections in and hands them on, while some worker is ready."""

    def __init__(self, listening: socket.socket, members: Sequence[Member]) -> None:
        self._listening = listening
        self._members = members
        self._open = False
        listening.settimeout(0.0)

    def look(self) -> None:
        """A worker became ready, or ended: connections wait in line while there is none."""
        loop, there = asyncio.get_running_loop(), any(member.ready for member in self._members)
        if there and not self._open:
            loop.add_reader(self._listening, self._came)
        elif self._open and not there:
            loop.remove_reader(self._listening)
        self._open = there

    def close(self) -> None:
        """Take no more."""
        if self._open:
            asyncio.get_running_loop().remove_reader(self._listening)
        self._open = False

    def _came(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # too many files are open: some will be closed
                self._pause()
                return
            with connection:
                self._deal(connection)

    def _deal(self, connection: socket.socket) -> None:
        """Give it to the first that takes it; where nobody does, it is closed, and its client tries again."""
        ready = [member for member in self._members if member.ready]
        any(member.give(connection) for member in sorted(ready, key=lambda member: member.open))

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listening)
        self._open = False
        with suppress(RuntimeError):
            loop.call_later(_REST, self.look)
