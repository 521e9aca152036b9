"""Whose request it is: a virtual key, or a key of the caller's own that is passed on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scrimp.asgi.shapes import Headers
from scrimp.core.plan import Mode
from scrimp.errors import StoreError
from scrimp.gateway.refusals import RefusedError
from scrimp.gateway.settings import Settings
from scrimp.stores.keys import SECRET_PREFIX, Key, Keys

__all__ = ["Caller", "Callers"]

_SECRET_PREFIX = SECRET_PREFIX.encode()


class Caller(msgspec.Struct, frozen=True):
    """Who calls. `credential` is what goes upstream in place of the caller's own (None: that itself does).

    `account` is the secret that pays: calls of one account share a cache.
    """

    upstream: str
    base_url: str
    account: str
    mode: Mode
    credential: tuple[str, str] | None = None
    key: Key | None = None


class Callers:
    """Lets callers in, or not."""

    def __init__(self, settings: Settings, upstream_keys: Mapping[str, str], keys: Keys | None) -> None:
        """`upstream_keys` are the secrets by the name of their upstream; without `keys` there are none."""
        self._settings = settings
        self._upstream_keys = upstream_keys
        self._keys = keys
        self._passes = settings.serve.auth != "keys"
        self._looks = settings.serve.auth != "passthrough"

    def of(self, headers: Headers) -> Caller:
        """The caller of a request; raises `RefusedError`."""
        secrets = _secrets(headers)
        if not secrets:
            raise RefusedError.for_good(401, "x-api-key header is required")
        for secret in secrets if self._looks else ():
            if secret.startswith(_SECRET_PREFIX):
                return self._keyed(secret)
        if not self._passes:
            raise RefusedError.for_good(401, "invalid x-api-key: this gateway takes keys of its own only")
        name = self._settings.serve.upstream
        base_url = self._settings.upstreams[name].base_url
        return Caller(name, base_url, secrets[0].decode("latin-1"), self._settings.serve.mode)

    def _keyed(self, secret: bytes) -> Caller:
        key = self._found(secret)
        if key is None:
            raise RefusedError.for_good(401, "invalid x-api-key")
        name = key.upstream or self._settings.serve.upstream
        upstream, paying = self._settings.upstreams.get(name), self._upstream_keys.get(name)
        if upstream is None or paying is None:
            raise RefusedError.for_good(401, f"scrimp: the gateway has no upstream key for {name!r}")
        bearer = upstream.key_header == "authorization"
        credential = (upstream.key_header, f"Bearer {paying}" if bearer else paying)
        mode = key.mode or self._settings.serve.mode
        return Caller(name, upstream.base_url, paying, mode, credential, key)

    def _found(self, secret: bytes) -> Key | None:
        if self._keys is None:
            return None
        try:
            return self._keys.find(secret.decode("latin-1"))
        except StoreError:
            raise RefusedError.for_now(503, "scrimp: keys cannot be checked just now") from None


def _secrets(headers: Headers) -> tuple[bytes, ...]:
    """Whatever the caller shows as a key, `x-api-key` first, as the API has it.

    Raises `RefusedError` for two different ones in a header: which of them counts is not for us to say.
    """
    keys, tokens = set(), set()
    for name, value in headers:
        if name == b"x-api-key":
            keys.add(value.strip())
        elif name == b"authorization":
            tokens.add(_token(value))
    keys.discard(b"")
    tokens.discard(b"")
    if len(keys) > 1 or len(tokens) > 1:
        raise RefusedError.for_good(400, "x-api-key: more than one key was sent")
    return (*keys, *tokens)


def _token(value: bytes) -> bytes:
    """The token of `Bearer token`; without the scheme the value itself, since it may be a key."""
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return token.strip()
    return scheme if not token else b""
