"""A process that claims: of its own, so that little has to be imported there."""

from __future__ import annotations

from multiprocessing.connection import Connection

from scrimp.gateway.workers.board import Board

KEYS = 2_000


def take_all(memory: int, worker: int, into: Connection) -> None:
    """Claim every key, and say which of them were free; -1 at the end."""
    claims = Board(memory, 3).claims(worker)
    for number in range(KEYS):
        if not claims.take([number.to_bytes(16, "little")]):
            into.send(number)
    into.send(-1)
