"""The emulator as one object: start it, point a client at it, read its books."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from scrimp.emulator.app import Api
from scrimp.emulator.books import Billed, Received
from scrimp.emulator.clock import Clock
from scrimp.emulator.faults import Fault
from scrimp.emulator.ids import Ids
from scrimp.emulator.line import App
from scrimp.emulator.measure import Estimated, Measure
from scrimp.emulator.provider import Provider
from scrimp.emulator.replies import Replies, Reply, as_replies
from scrimp.emulator.server import Server
from scrimp.errors import ScrimpError
from scrimp.facts.models import Facts, default

__all__ = ["Emulator", "Options"]


class Options(TypedDict, total=False):
    """The less usual options of an emulator."""

    keys: Collection[str] | None
    """The API keys accepted; any by default."""
    route: str
    """The cloud whose cache rules hold: `anthropic`, `bedrock`, `vertex`."""
    now_header: bool
    """Read `x-scrimp-now`: the epoch seconds at which a request is to have started."""
    retires: bool
    """Refuse models from the day after their retirement, by the emulator's clock."""
    seed: str | None
    """The same seed gives the same ids; without one they differ from every other emulator's."""
    host: str
    port: int
    """0, the default, takes a free one."""


_USUAL: Options = {
    "keys": None,
    "route": "anthropic",
    "now_header": False,
    "retires": False,
    "seed": None,
    "host": "127.0.0.1",
    "port": 0,
}


class Emulator:
    """A Messages API of one's own; a context manager that serves it over HTTP.

    Every API key is a workspace with a cache of its own.
    """

    def __init__(
        self,
        replies: Replies | Callable[[dict[str, Any]], Reply] | Sequence[Reply] | None = None,
        *,
        clock: Clock | None = None,
        faults: Sequence[Fault] = (),
        measure: Measure | None = None,
        facts: Facts | None = None,
        **options: Unpack[Options],
    ) -> None:
        """`measure` gives prompts their length (by default scrimp's estimate); see `Options` for the rest."""
        unknown = sorted(set(options) - set(_USUAL))
        if unknown:
            raise TypeError(f"Emulator() has no option {unknown[0]!r}; expected {', '.join(_USUAL)}")
        known: Options = {**_USUAL, **options}
        ids = Ids(known["seed"])
        self.clock = clock or Clock()
        self._provider = Provider(
            facts or default(),
            as_replies(replies),
            measure=measure or Estimated(),
            ids=ids,
            route=known["route"],
            retires=known["retires"],
        )
        self._api = Api(self._provider, ids, self.clock, keys=known["keys"], now_header=known["now_header"])
        self._address = known["host"], known["port"]
        self._server: Server | None = None
        for fault in faults:
            self.inject(fault)

    @property
    def app(self) -> App:
        """The plain ASGI application; works without the server."""
        return self._api

    @property
    def url(self) -> str:
        """The base URL while it serves; raises `ScrimpError` before."""
        if self._server is None:
            raise ScrimpError("the emulator is not serving: use it as a context manager, or call start()")
        return f"http://{self._server.host}:{self._server.port}"

    @property
    def bill(self) -> list[Billed]:
        """Every billed attempt, in the order they ended."""
        return list(self._provider.books)

    @property
    def total(self) -> int:
        """What all of it cost, in picodollars."""
        return sum(entry.cost for entry in self._provider.books)

    @property
    def requests(self) -> list[Received]:
        """What was received, refused attempts included: the last 10,000, of 256 MB at most."""
        return self._api.received.all()

    def reply(self, replies: Replies | Callable[[dict[str, Any]], Reply] | Sequence[Reply]) -> None:
        """Answer from another source from here on."""
        self._provider.replies = as_replies(replies)

    def inject(self, fault: Fault) -> None:
        """One more fault."""
        self._api.faults.add(fault)

    def heal(self) -> None:
        """No faults any more."""
        self._api.faults.clear()

    def start(self) -> Self:
        """Serve over HTTP; returns once requests are answered. Raises OSError when the port is taken."""
        if self._server is None:
            host, port = self._address
            self._server = Server(self._api, host=host, port=port)
            self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving; books and cache stay."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
