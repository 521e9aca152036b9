"""The way to the provider: one pool of connections, requests as they are, answers untouched."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.payload import BytesPayload, Payload
from multidict import CIMultiDict
from yarl import URL

__all__ = ["BrokenOffError", "ConnectError", "UpstreamAnswer", "UpstreamError", "Way"]

_IDLE_SECONDS = 25.0
"""Shorter than servers keep idle connections: one that the server closes while a request is on its way
leaves it open whether that was billed."""

_READ_BYTES = 2**18
_HEADER_BYTES = 2**16
_URLS = 4096
_NO_AUTO_HEADERS = CIMultiDict({"content-type": None})


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


class _AsItIs(aiohttp.ClientRequest):
    """A request with the headers it was given and no others: working out which to leave out costs more."""

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:  # noqa: ARG002 - aiohttp's own
        """Add none."""
        self._skip_auto_headers = _NO_AUTO_HEADERS


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
        where = _url(url)
        try:
            response = await self._session.request(
                method,
                where,
                proxy=_proxy(where.scheme, where.host or ""),
                headers=headers,
                data=_Body(body) if body else None,
                allow_redirects=False,
            )
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.InvalidURL,
            ssl.SSLError,
        ) as error:
            raise ConnectError(f"the upstream could not be reached ({type(error).__name__})") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(f"the upstream gave no answer ({type(error).__name__})") from None
        return UpstreamAnswer(response)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


@cache
def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host (`HTTPS_PROXY`, `NO_PROXY` and so on)."""
    return None if proxy_bypass(host) else getproxies().get(scheme)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@lru_cache(_URLS)
def _url(url: str) -> URL:
    return URL(url, encoded=True)
