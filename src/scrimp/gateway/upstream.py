"""The way to the provider: one pool of connections, requests as they are, answers untouched."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from functools import cache, lru_cache
from time import monotonic
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from scrimp.asgi.shapes import Headers
from scrimp.gateway.line import BrokenOffError, Line, UpstreamAnswer

__all__ = ["BrokenOffError", "ConnectError", "UpstreamAnswer", "UpstreamError", "Way", "lines_of"]

_IDLE_SECONDS = 25.0
"""Shorter than servers keep idle connections: one that the server closes while a request is on its way
leaves it open whether that was billed."""

_URLS, _LONGEST_URL = 4096, 1024
"""URLs for which it is remembered how they are asked, none longer: callers write what they like into them."""

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class UpstreamError(Exception):
    """The upstream gave no answer; what was sent may have been billed. Without text of the request."""

    kind = "no answer"


class ConnectError(UpstreamError):
    """There was no connection, so nothing was sent."""

    kind = "connect"


class _Target(NamedTuple):
    """Where the requests for one URL go: `request` is what the connector wants to know of them.

    `line` is what follows the method, to the end of the headers that are the same for all. `idle` are the
    connections that wait for one, those that were used last at the end.
    """

    request: aiohttp.ClientRequest
    host: str
    line: bytes
    idle: deque[Line]


class Way:
    """Sends requests; made inside a running loop.

    Connections are made by aiohttp, which knows about names, proxies and encryption.
    """

    def __init__(self, *, connect_seconds: float, trust: ssl.SSLContext | None = None) -> None:
        """`trust` says whose certificates are believed; None: those that the system does."""
        self._connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, ssl=trust or _trust())
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=None)
        self._loop = asyncio.get_running_loop()
        self._idle: dict[ConnectionKey, deque[Line]] = {}
        self._target = lru_cache(_URLS)(self._aimed)
        self._sweeping = self._loop.call_later(_IDLE_SECONDS, self._sweep)

    async def send(self, method: str, url: str, lines: bytes, *body: bytes | memoryview) -> UpstreamAnswer:
        """Send a request and return its answer when its headers are there; `lines` are its own (`lines_of`).

        The parts of its body go out one behind the other. Raises `UpstreamError`.
        """
        try:
            target = self._target(url) if len(url) <= _LONGEST_URL else self._aimed(url)
        except ValueError:
            raise ConnectError("the address of the upstream is none") from None
        try:
            length = len(body[0]) if len(body) == 1 else sum(map(len, body))
            head = _head(method, target.line, lines, length)
            line = _kept(target.idle) or await self._connected(target)
            asked = line.ask((head, *body), length, without_body=method == "HEAD")
            try:
                return await asked
            except asyncio.CancelledError:
                line.give_up(asked)
                raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(f"{target.host} gave no answer ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close every connection."""
        self._sweeping.cancel()
        await self._connector.close()

    async def _connected(self, target: _Target) -> Line:
        try:
            return Line(await self._connector.connect(target.request, [], self._timeout), target.idle)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ConnectError(f"{target.host} could not be reached: {_why(error)}") from None

    def _aimed(self, url: str) -> _Target:
        """What all requests for a URL share. Raises aiohttp.InvalidURL and ValueError."""
        where = URL(url, encoded=True)
        host = where.host_port_subcomponent or ""
        named = _proxy(where.scheme, where.host or "")
        proxy = None if named is None else URL(named)
        request = aiohttp.ClientRequest("GET", where, headers={"Host": host}, loop=self._loop, proxy=proxy)
        path, shown = where.raw_path_qs, ""
        if proxy is not None and not request.is_ssl():  # else the connector talks to the proxy
            who = aiohttp.BasicAuth.from_url(proxy)
            path, shown = str(where), f"\r\nProxy-Authorization: {who.encode()}" if who else ""
        line = f" {path} HTTP/1.1\r\nHost: {host}{shown}".encode("latin-1")
        return _Target(request, host, line, self._idle.setdefault(request.connection_key, deque()))

    def _sweep(self) -> None:
        """Close what has been idle for too long."""
        for idle in self._idle.values():
            while idle and (idle[0].is_closed() or monotonic() - idle[0].since > _IDLE_SECONDS):
                idle.popleft().close()
        self._sweeping = self._loop.call_later(_IDLE_SECONDS, self._sweep)


def _kept(idle: deque[Line]) -> Line | None:
    """One of the connections that wait, where there is one that can still be used."""
    now = monotonic()
    while idle:
        line = idle.pop()
        if now - line.since <= _IDLE_SECONDS and not line.is_closed():
            return line
        line.close()
    return None


def lines_of(headers: Headers) -> bytes:
    """Headers as the bytes that they came as, for a request. Raises `UpstreamError`."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or lines.find(b"\0") >= 0:
        raise UpstreamError("a header of the request has more than one line")
    return lines


def _head(method: str, line: bytes, lines: bytes, length: int) -> bytes:
    """The head of a request."""
    if not length and method in _WITHOUT_BODY:
        return b"%b%b\r\n%b\r\n" % (method.encode("latin-1"), line, lines)
    size = b"Content-Length: %d\r\n\r\n" % length
    return b"".join((method.encode("latin-1"), line, b"\r\n", lines, size))


def _why(error: Exception) -> str:
    """Why there was no connection, without the text of the error, which names addresses."""
    if isinstance(error, TimeoutError):
        return "connecting timed out"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not to be trusted"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return "the connection was refused"
    return type(error).__name__


@cache
def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host (`HTTPS_PROXY`, `NO_PROXY` and so on)."""
    return None if proxy_bypass(host) else getproxies().get(scheme)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
