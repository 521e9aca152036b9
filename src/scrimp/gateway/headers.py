"""Which headers go on to the upstream, and which come back: all but those of one connection, and our own."""

from __future__ import annotations

from collections.abc import Iterable

from scrimp.asgi.shapes import Headers

__all__ = ["CREDENTIALS", "downwards", "upwards"]

_ONE_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, section 7.6.1, and two that older software sends."""

CREDENTIALS = frozenset({b"x-api-key", b"authorization"})

_REMADE = frozenset({b"host", b"content-length", b"expect"})
_OURS = b"x-scrimp-"
_ENCODINGS = frozenset({b"accept-encoding"})
_NOTHING: frozenset[bytes] = frozenset()
_NOT_UP = _ONE_HOP | _REMADE
_LEFT_OUT = {
    (credential, plain): _NOT_UP
    | (CREDENTIALS if credential else _NOTHING)
    | (_ENCODINGS if plain else _NOTHING)
    for credential in (False, True)
    for plain in (False, True)
}
"""By whether another credential takes the place of the caller's, and whether the answer is to be plain."""


def upwards(headers: Headers, credential: tuple[bytes, bytes] | None, *, plain: bool) -> Headers:
    """The headers of a request as the upstream gets them.

    `credential` takes the place of the caller's own; None: the caller's goes on. `plain` asks for an answer
    that is not compressed, so that it can be metered as it passes.
    """
    left_out = _LEFT_OUT[credential is not None, plain]
    named = _named(headers)
    if named:
        left_out = left_out | named
    found = [header for header in headers if header[0] not in left_out and not header[0].startswith(_OURS)]
    if credential is not None:
        found.append(credential)
    if plain:
        found.append((b"accept-encoding", b"identity"))
    return found


def downwards(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of an answer as the client gets them."""
    return [(name, value) for name, value in headers if name.lower() not in _ONE_HOP]


def _named(headers: Headers) -> frozenset[bytes]:
    """What `Connection` names as meant for this connection alone."""
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            return frozenset(part.strip().lower() for part in value.split(b","))
    return _NOTHING
