"""The supervisor and the other workers, as one worker sees them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count

from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.record import Record, Tags
from scrimp.gateway.metrics import Count
from scrimp.gateway.workers.board import Board, PrefixClaims
from scrimp.gateway.workers.carrying import Carrying
from scrimp.gateway.workers.channel import Channel
from scrimp.gateway.workers.words import (
    Counted,
    CountNow,
    Counts,
    Missed,
    Ready,
    Refused,
    Stopping,
    WantCounts,
    from_supervisor,
    said,
)

__all__ = ["Alerted", "Sharing"]

_COUNT_SECONDS = 3.0


class Sharing:
    """See `Shared`. Lives in the loop that it was opened in."""

    def __init__(self, number: int, board: Board, dealt: socket.socket) -> None:
        """`dealt` is where connections come from."""
        self._number = number
        self._board = board
        self._dealt = dealt
        self._channel = Channel(self._heard, self._lost)
        self._books = Channel(self._answered, self._lost_books)
        self._loop = asyncio.get_running_loop()
        self._gone: Callable[[], None] | None = None
        self._is_gone = False
        self._count: Callable[[], Count] | None = None
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[Sequence[Count]]] = {}
        self.claims: PrefixClaims = board.claims(number)
        self.carrier = Carrying(self._loop, self._books.send)

    async def open(self, control: socket.socket, books: socket.socket) -> None:
        """Talk to the supervisor over these sockets; `books` leads to the ledger's writer."""
        await self._loop.create_unix_connection(lambda: self._channel, sock=control)
        await self._loop.create_unix_connection(lambda: self._books, sock=books)

    @property
    def ready(self) -> bool:
        """See `Shared`."""
        return self._board.ready

    def serve(self, take: Callable[[socket.socket], None], gone: Callable[[], None]) -> None:
        """See `Shared`."""
        self._gone = gone
        if self._is_gone:
            gone()
            return
        self._dealt.settimeout(0.0)
        self._loop.add_reader(self._dealt, self._taking, take)
        self._board.set_ready(self._number, ready=True)
        self._channel.send(said(Ready()))

    def stands(self, closed: int) -> None:
        """See `Shared`."""
        self._board.stands(self._number, closed)

    def stopping(self, under_way: int) -> None:
        """See `Shared`."""
        self._channel.send(said(Stopping(under_way)))

    def counting(self, count: Callable[[], Count]) -> None:
        """See `Shared`."""
        self._count = count

    async def counts(self, own: Count) -> Sequence[Count]:
        """See `Shared`."""
        number = next(self._numbers)
        asked = self._asked[number] = self._loop.create_future()
        self._channel.send(said(WantCounts(number, own)))
        try:
            return await asyncio.wait_for(asked, _COUNT_SECONDS)
        except TimeoutError:
            return ()
        finally:
            del self._asked[number]

    def tell(self, message: Missed | Refused) -> None:
        """Something for the alerts; any thread may call."""
        with suppress(RuntimeError):  # the loop is closed: nobody hears of it any more
            self._loop.call_soon_threadsafe(self._channel.send, said(message))

    def close(self) -> None:
        """Hear no more."""
        self._loop.remove_reader(self._dealt)
        self._channel.close()
        self._books.close()
        self._dealt.close()

    def _taking(self, take: Callable[[socket.socket], None]) -> None:
        """Connections came."""
        while True:
            try:
                # One byte goes with each connection: more than one of them would come in one piece.
                word, handles, _, _ = socket.recv_fds(self._dealt, 1, 1)
            except BlockingIOError:
                return
            if not word:
                self._loop.remove_reader(self._dealt)
                return
            for handle in handles:
                take(socket.socket(fileno=handle))

    def _heard(self, message: memoryview) -> None:
        match from_supervisor.decode(message):
            case Counts(number, counts):
                asked = self._asked.get(number)
                if asked is not None and not asked.done():
                    asked.set_result(counts)
            case CountNow():
                if self._count is not None:
                    self._channel.send(said(Counted(self._count())))

    def _answered(self, message: memoryview) -> None:
        self.carrier.heard(message)

    def _lost_books(self) -> None:
        """The ledger's writer is gone, and with it the supervisor, or it should be."""
        self.carrier.lost()
        self._lost()

    def _lost(self) -> None:
        """The supervisor is gone."""
        self._is_gone = True
        if self._gone is not None:
            self._gone()


class Alerted:
    """A listener that hands on what the supervisor cannot know by itself: it has the records."""

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing

    def recorded(self, record: Record) -> None:
        """See `Listener`: the supervisor writes it."""

    def crossed(self, crossing: Crossing) -> None:
        """See `Listener`: the supervisor was told first."""

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:
        """See `Listener`."""
        self._sharing.tell(Missed(diagnosis, tags))

    def refused(self, refusal: Refusal, tags: Tags) -> None:
        """See `Listener`."""
        self._sharing.tell(Refused(refusal, tags))
