"""The way to the provider: one pool of connections, requests as they are, answers untouched."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import StreamWriter
from aiohttp.payload import BytesPayload, Payload
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict
from yarl import URL

__all__ = ["BrokenOffError", "ConnectError", "UpstreamAnswer", "UpstreamError", "Way"]

_IDLE_SECONDS = 25.0
"""Shorter than servers keep idle connections: one that the server closes while a request is on its way
leaves it open whether that was billed."""

_READ_BYTES = 2**18
_HEADER_BYTES = 2**16
_URLS = 4096


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

    __slots__ = ("_content", "_response", "headers", "raw_headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._content = response.content
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.raw_headers: Sequence[tuple[bytes, bytes]] = response.raw_headers

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
        self._response.close()

    def _left(self) -> bytes:
        """What came before the end: aiohttp raises before it gives that."""
        rest: bytes = self._content._read_nowait(-1)  # noqa: SLF001 - it has no other way
        return rest


class _Body(BytesPayload):
    """A body in memory, of any size: aiohttp's own warns of large ones."""

    def __init__(self, value: bytes) -> None:
        Payload.__init__(self, value, content_type="application/json")
        self._size = len(value)
        self.content = value


class _Writer(StreamWriter):
    """Writes heads as the bytes that they came as: here those are Latin-1, where aiohttp writes UTF-8."""

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """See aiohttp."""
        await super().write_headers(status_line, headers)
        head = self._headers_buf
        if head is not None and not head.isascii():
            self._headers_buf = head.decode().encode("latin-1")


class _AsItIs(aiohttp.ClientRequest):
    """A request with the headers it was given and no others, written at once.

    Working out which headers to leave out costs more than sending them. And aiohttp writes bodies in a task
    of their own, which one that is all there does not need: the transport takes it as a whole.
    """

    _body: _Body | None

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Those of the session, made for this request alone."""
        self.headers = cast("CIMultiDict[str]", headers)

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add none."""

    def update_body_from_data(self, body: _Body | None, _stacklevel: int = 3) -> None:
        """Its length is all that a header says of it."""
        self._body = body
        if body is not None or self.method not in self.GET_METHODS:
            self.headers["Content-Length"] = "0" if body is None else str(body.size)

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """See aiohttp, whose steps these are."""
        protocol = cast("ResponseHandler", conn.protocol)  # it is there until the connection is given back
        through_proxy = self.proxy and not self.is_ssl()
        path = str(self.url) if through_proxy else self.url.raw_path_qs
        writer = _Writer(protocol, self.loop)
        await writer.write_headers(f"{self.method} {path} HTTP/1.1", self.headers)
        if self._body is not None:
            await writer.write(self._body.content, drain=False)
        writer.set_eof()
        protocol.start_timeout()
        response = self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )
        self.response = cast("Any", response)
        return response


class Way:
    """Sends requests; made inside a running loop."""

    def __init__(self, *, connect_seconds: float, trust: ssl.SSLContext | None = None) -> None:
        """`trust` says whose certificates are believed; None: those that the system does."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=_IDLE_SECONDS,
                ttl_dns_cache=60,
                ssl=trust or _trust(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            request_class=_AsItIs,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=None),
            read_bufsize=_READ_BYTES,
            max_field_size=_HEADER_BYTES,
            max_line_size=_HEADER_BYTES,
        )

    async def send(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes
    ) -> UpstreamAnswer:
        """Send a request and return its answer when its headers are there. Raises `UpstreamError`."""
        where, host = _url(url)
        try:
            response = await self._session.request(
                method,
                where,
                proxy=_proxy(where.scheme, where.host or ""),
                headers=[host, *headers],
                data=_Body(body) if body else None,
                allow_redirects=False,
            )
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.InvalidURL,
            ssl.SSLError,
        ) as error:
            raise ConnectError(f"{host[1]} could not be reached: {_why(error)}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(f"{host[1]} gave no answer ({type(error).__name__})") from None
        return UpstreamAnswer(response)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


def _why(error: Exception) -> str:
    """Why there was no connection, without the text of the error, which names addresses."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
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


@lru_cache(_URLS)
def _url(url: str) -> tuple[URL, tuple[str, str]]:
    """A URL, and the header that names its host."""
    found = URL(url, encoded=True)
    return found, ("Host", found.host_port_subcomponent or "")
