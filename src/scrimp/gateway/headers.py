"""Which headers go on to the upstream, and which come back: all but those of one connection, and our own."""

from __future__ import annotations

from collections.abc import Iterable

from scrimp.asgi.shapes import Headers
from scrimp.gateway.one_hop import ONE_HOP
from scrimp.gateway.upstream import lines_of
from scrimp.wire.betas import BETAS_HEADER, betas_in

__all__ = ["CREDENTIALS", "Fields", "downwards", "upwards"]

CREDENTIALS = frozenset({b"x-api-key", b"authorization"})

_BETAS = BETAS_HEADER.encode()
_REMADE = frozenset({b"host", b"content-length", b"expect"})
_OURS = b"x-scrimp-"
_ENCODINGS = frozenset({b"accept-encoding"})
_NOTHING: frozenset[bytes] = frozenset()
_NOT_UP = ONE_HOP | _REMADE
_LEFT_OUT = {
    (credential, plain): _NOT_UP
    | (CREDENTIALS if credential else _NOTHING)
    | (_ENCODINGS if plain else _NOTHING)
    for credential in (False, True)
    for plain in (False, True)
}
"""By whether another credential takes the place of the caller's, and whether the answer is to be plain."""


class Fields(dict[bytes, bytes]):
    """The headers of a request by their names; of several of one name the last.

    Clients send the same ones with each request: all of a connection that do so share one of these, with what
    was worked out for the first of them. `raw` has them as they came, with names in small letters;
    `content-length` is none of them. Nobody may change it.
    """

    __slots__ = ("_onwards", "betas", "expects_continue", "raw", "secrets")

    def __init__(self, raw: Headers) -> None:
        super().__init__(raw)
        self.raw = [*raw]
        self.expects_continue = self.get(b"expect", b"").lower() == b"100-continue"
        self.betas = _betas(raw) if _BETAS in self else ()
        self.secrets: list[str] | None = None
        """What is shown as a key; None: nobody has looked."""
        self._onwards: tuple[tuple[bytes, bytes] | None, bool, bytes] | None = None

    def onwards(self, credential: tuple[bytes, bytes] | None, *, plain: bool) -> bytes:
        """What `upwards` makes of them, as `lines_of` has it. Raises as that does."""
        found = self._onwards
        if found is None or found[0] != credential or found[1] is not plain:
            lines = lines_of(upwards(self.raw, credential, plain=plain))
            found = self._onwards = credential, plain, lines
        return found[2]


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


def downwards(headers: Headers, names: Iterable[bytes]) -> Headers:
    """The headers of an answer as the client gets them; `names` are theirs, in small letters.

    `headers` itself where all of them go on.
    """
    if ONE_HOP.isdisjoint(names):
        return headers
    return [header for header in headers if header[0].lower() not in ONE_HOP]


def _betas(headers: Headers) -> tuple[str, ...]:
    """What the `anthropic-beta` headers say; there may be several."""
    return betas_in(",".join(value.decode("latin-1") for name, value in headers if name == _BETAS))


def _named(headers: Headers) -> frozenset[bytes]:
    """What `Connection` names as meant for this connection alone."""
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            return frozenset(part.strip().lower() for part in value.split(b","))
    return _NOTHING
