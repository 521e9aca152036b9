"""The way to the provider: one pool of connections, requests as they are, answers untouched."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import NamedTuple, cast
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from scrimp.asgi.shapes import Headers

__all__ = ["BrokenOffError", "ConnectError", "UpstreamAnswer", "UpstreamError", "Way"]

_IDLE_SECONDS = 25.0
"""Shorter than servers keep idle connections: one that the server closes while a request is on its way
leaves it open whether that was billed."""

_READ_BYTES = 2**18
_HEADER_BYTES = 2**16
_URLS = 4096
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_COPIED_BYTES = 2**15
"""Up to which head and body are put into one piece: two pieces are two packets."""


class UpstreamError(Exception):
    """The upstream gave no answer; what was sent may have been billed. Without text of the request."""

    kind = "no answer"


class ConnectError(UpstreamError):
    """There was no connection, so nothing was sent."""

    kind = "connect"


class BrokenOffError(Exception):
    """The connection ended before the answer did. Without text of either."""


class UpstreamAnswer:
    """An answer whose headers are there; its body comes in parts, as they come."""

    __slots__ = ("_connection", "_content", "headers", "raw_headers", "status")

    def __init__(
        self, connection: Connection, message: RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self._connection = connection
        self._content = content
        self.status = message.code
        self.headers: Mapping[str, str] = message.headers
        self.raw_headers: Sequence[tuple[bytes, bytes]] = message.raw_headers
        content.on_eof(self._ended)

    @property
    def over(self) -> bool:
        """Whether all of it was taken, to an end that is one."""
        return self._content.at_eof() and self._content.exception() is None

    def at_hand(self) -> bytes:
        """What is there and was not taken yet; nothing where there is nothing, which need not be the end."""
        return self._left() if self._content.exception() else self._content.read_nowait(-1)

    async def part(self) -> bytes:
        """What comes next; nothing at the end. Raises `BrokenOffError` when what came before it was taken."""
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            left = self._left()
            if left:
                return left
            self.close()
            raise BrokenOffError(type(error).__name__) from None

    async def read(self) -> bytes:
        """The whole body. Raises `BrokenOffError`."""
        parts = [await self.part()]
        while parts[-1]:
            parts.append(await self.part())
        return b"".join(parts)

    def close(self) -> None:
        """No more of it is wanted; a connection whose answer is not over cannot be used again."""
        self._connection.close()

    def _ended(self) -> None:
        """All of it came: the connection may serve another request."""
        protocol = self._connection.protocol
        if protocol is not None and not protocol.upgraded:
            self._connection.release()

    def _left(self) -> bytes:
        """What came before the end: aiohttp raises before it gives that."""
        rest: bytes = self._content._read_nowait(-1)  # noqa: SLF001 - it has no other way
        return rest


class _Target(NamedTuple):
    """Where the requests for one URL go: `request` is what the connector wants to know of them.

    `line` is what follows the method, to the end of the line of the host.
    """

    request: aiohttp.ClientRequest
    host: str
    line: bytes


class Way:
    """Sends requests; made inside a running loop.

    Connections are aiohttp's, with its pool, its proxies and its parser. Its sessions, which can do a lot
    that no request here needs, take as long for one as all of that.
    """

    def __init__(self, *, connect_seconds: float, trust: ssl.SSLContext | None = None) -> None:
        """`trust` says whose certificates are believed; None: those that the system does."""
        self._connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=_IDLE_SECONDS,
            ttl_dns_cache=60,
            ssl=trust or _trust(),
        )
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=None)
        self._target = lru_cache(_URLS)(partial(_target, asyncio.get_running_loop()))

    async def send(self, method: str, url: str, headers: Headers, body: bytes) -> UpstreamAnswer:
        """Send a request and return its answer when its headers are there. Raises `UpstreamError`."""
        try:
            target = self._target(url)
        except ValueError:
            raise ConnectError("the address of the upstream is none") from None
        connection = await self._connected(target)
        answer = None
        try:
            answer = await _exchange(connection, method, _head(method, target, headers, len(body)), body)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise UpstreamError(f"{target.host} gave no answer ({type(error).__name__})") from None
        finally:
            if answer is None:
                connection.close()
        return answer

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()

    async def _connected(self, target: _Target) -> Connection:
        try:
            return await self._connector.connect(target.request, [], self._timeout)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ConnectError(f"{target.host} could not be reached: {_why(error)}") from None


async def _exchange(connection: Connection, method: str, head: bytes, body: bytes) -> UpstreamAnswer:
    """One request and the head of its answer. Raises what aiohttp raises."""
    protocol = cast("ResponseHandler", connection.protocol)  # it is there until the connection is given back
    protocol.set_response_params(
        skip_payload=method == "HEAD",
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=_READ_BYTES,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )
    transport = protocol.transport
    if transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError
    if len(body) <= _COPIED_BYTES:
        transport.write(head + body)
    else:
        transport.writelines((head, body))
    while True:
        message, content = await protocol.read()
        if not 100 <= message.code < 200 or message.code == 101:  # else the answer is still to come
            return UpstreamAnswer(connection, message, content)


def _head(method: str, target: _Target, headers: Headers, length: int) -> bytes:
    """The head of a request, with the headers as the bytes that they came as. Raises ValueError."""
    lines = [method.encode("latin-1") + target.line]
    lines += [b"%b: %b" % header for header in headers]
    for name, value in target.request.headers.items():
        if name != "Host":  # what a proxy is to be shown
            lines.append(f"{name}: {value}".encode("latin-1"))
    if length or method not in _WITHOUT_BODY:
        lines.append(b"Content-Length: %d" % length)
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
        raise ValueError("a header of more than one line")
    return head + b"\r\n\r\n"


def _target(loop: asyncio.AbstractEventLoop, url: str) -> _Target:
    """What all requests for a URL share. Raises aiohttp.InvalidURL and ValueError."""
    where = URL(url, encoded=True)
    host = where.host_port_subcomponent or ""
    named = _proxy(where.scheme, where.host or "")
    proxy = None if named is None else URL(named)
    request = aiohttp.ClientRequest("GET", where, headers={"Host": host}, loop=loop, proxy=proxy)
    for header in [name for name in request.headers if name != "Host"]:
        del request.headers[header]  # aiohttp's own
    path = str(where) if proxy is not None and not request.is_ssl() else where.raw_path_qs
    return _Target(request, host, f" {path} HTTP/1.1\r\nHost: {host}".encode("latin-1"))


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
