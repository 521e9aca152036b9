"""Whose request it is: a virtual key, or a key of the caller's own that is passed on."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from scrimp.asgi.shapes import Headers
from scrimp.core.forgetting import forget_oldest
from scrimp.core.lazily import lazily
from scrimp.core.plan import Mode
from scrimp.core.record import Tags
from scrimp.errors import StoreError
from scrimp.gateway.headers import Fields
from scrimp.gateway.labels import tags_of_key
from scrimp.gateway.refusals import RefusedError
from scrimp.gateway.settings import Settings, Upstream
from scrimp.stores.keys import SECRET_PREFIX, Key, Keys

__all__ = ["Caller", "Callers", "credential_of"]

_CALLERS = 4_096
_NO_TAGS = Tags()


class Caller(msgspec.Struct, frozen=True, dict=True):
    """Who calls. `credential` is what goes upstream in place of the caller's own (None: that itself does).

    `account` is the secret that pays: calls of one account share a cache.
    """

    upstream: str
    base_url: str
    account: str
    mode: Mode
    credential: tuple[bytes, bytes] | None = None
    key: Key | None = None

    @lazily
    def paying(self) -> tuple[str, bytes]:
        """The upstream and what tells the account from others, which is not its secret."""
        return self.upstream, blake2b(self.account.encode("utf-8", "replace"), digest_size=16).digest()

    @lazily
    def tags(self) -> Tags:
        """The tags of calls of which nothing says more than their key."""
        return _NO_TAGS if self.key is None else tags_of_key(self.key)

    @lazily
    def typed(self) -> dict[str, Tags]:
        """The same with the task types that were inferred: calls that share their tags find what is known of
        them sooner."""
        return {}


class Callers:
    """Lets callers in, or not."""

    def __init__(self, settings: Settings, upstream_keys: Mapping[str, str], keys: Keys | None) -> None:
        """`upstream_keys` are the secrets by the name of their upstream; without `keys` there are none."""
        self._settings = settings
        self._upstream_keys = upstream_keys
        self._keys = keys
        self._passes = settings.serve.auth != "keys"
        self._looks = settings.serve.auth != "passthrough"
        self._made: dict[str, tuple[Key, Caller]] = {}  # by the name of a key, which may be gone by now

    def of(self, headers: Fields) -> Caller:
        """The caller of a request; raises `RefusedError`."""
        secrets = headers.secrets
        if secrets is None:
            secrets = headers.secrets = _secrets(headers.raw)
        if not secrets:
            raise RefusedError.for_good(401, "x-api-key header is required")
        for secret in secrets if self._looks else ():
            if secret.startswith(SECRET_PREFIX):
                return self._keyed(secret)
        if not self._passes:
            raise RefusedError.for_good(401, "invalid x-api-key: this gateway takes keys of its own only")
        name = self._settings.serve.upstream
        base_url = self._settings.upstreams[name].base_url
        return Caller(name, base_url, secrets[0], self._settings.serve.mode)

    def _keyed(self, secret: str) -> Caller:
        try:
            key = None if self._keys is None else self._keys.find(secret)
        except StoreError:
            raise RefusedError.for_now(503, "scrimp: keys cannot be checked just now") from None
        if key is None:
            raise RefusedError.for_good(401, "invalid x-api-key")
        made = self._made.get(key.name)
        if made is None or made[0] is not key:
            made = self._made[key.name] = key, self._caller(key)
            forget_oldest(self._made, _CALLERS)
        return made[1]

    def _caller(self, key: Key) -> Caller:
        name = key.upstream or self._settings.serve.upstream
        upstream, paying = self._settings.upstreams.get(name), self._upstream_keys.get(name)
        if upstream is None or paying is None:
            raise RefusedError.for_good(401, f"scrimp: the gateway has no upstream key for {name!r}")
        mode = key.mode or self._settings.serve.mode
        return Caller(name, upstream.base_url, paying, mode, credential_of(upstream, paying), key)


def credential_of(upstream: Upstream, key: str) -> tuple[bytes, bytes]:
    """The header that shows `key` to an upstream."""
    header = upstream.key_header
    shown = f"Bearer {key}" if header == "authorization" else key
    return header.encode(), shown.encode("utf-8", "surrogateescape")


def _secrets(headers: Headers) -> list[str]:
    """Whatever the caller shows as a key, `x-api-key` first, as the API has it.

    Raises `RefusedError` for two different ones in a header: which of them counts is not for us to say.
    """
    key = token = b""
    for name, value in headers:
        if name == b"x-api-key":
            key = _only(key, value.strip())
        elif name == b"authorization":
            token = _only(token, _token(value))
    return [secret.decode("latin-1") for secret in (key, token) if secret]


def _only(known: bytes, found: bytes) -> bytes:
    """One secret of two, one of which may be none."""
    if known and found and known != found:
        raise RefusedError.for_good(400, "x-api-key: more than one key was sent")
    return known or found


def _token(value: bytes) -> bytes:
    """The token of `Bearer token`; without the scheme the value itself, since it may be a key."""
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return token.strip()
    return scheme if not token else b""
