"""A request that uvicorn hands to the application."""

from __future__ import annotations

import logging

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from scrimp.asgi.exchange import Carrier, Exchange
from scrimp.asgi.shapes import Scope

__all__ = ["Cycle"]


class Cycle(Exchange, RequestResponseCycle):  # type: ignore[misc]  # what differs from uvicorn's is meant to
    """As uvicorn has it, for one reader and one writer."""

    logger = logging.getLogger("uvicorn.error")

    def __init__(
        self, connection: Carrier, scope: Scope, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        # Of uvicorn's own nothing: it would set up as much again that is not needed here.
        Exchange.__init__(self, connection, scope, keep_alive=keep_alive, expects_continue=expects_continue)
