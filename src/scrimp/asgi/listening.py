"""Serving an application on a socket, inside a running loop, without uvicorn's own loop around it.

uvicorn's server looks every tenth of a second whether it should stop, and takes several such looks to do so.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from scrimp.asgi.shapes import App

__all__ = ["BACKLOG", "finished", "listen", "quiet_config"]

BACKLOG = 2048


def quiet_config(app: App, *, keep_alive: float) -> uvicorn.Config:
    """uvicorn's settings for `app`: nothing logged, headers as they are; `keep_alive` in seconds."""
    config = uvicorn.Config(
        cast("Any", app),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=int(keep_alive),
    )
    config.load()
    return config


async def listen(
    make: Callable[[ServerState], HttpToolsProtocol], on: socket.socket
) -> tuple[asyncio.Server, ServerState]:
    """Serve each connection with a protocol of its own; returns what closes the door, and who is inside."""
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: make(state), sock=on, backlog=BACKLOG)
    return server, state


async def finished(state: ServerState, seconds: float) -> None:
    """Let what is under way end, for `seconds` at most; then cancel it, and close every connection."""
    for connection in tuple(state.connections):
        connection.shutdown()
    if state.tasks:
        await asyncio.wait(tuple(state.tasks), timeout=seconds)
    left = tuple(state.tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    for connection in tuple(state.connections):
        connection.transport.close()
