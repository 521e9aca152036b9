"""The requests of `[[warm]]`, read once at start: what is sent, what it costs, and who pays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from scrimp.asgi.shapes import Headers
from scrimp.core.sight import sight_of
from scrimp.core.warmup import Unsuited, WarmUp, warm_up
from scrimp.errors import InputError, RequestError
from scrimp.facts.models import Facts
from scrimp.facts.prices import Rates
from scrimp.gateway.cache_settings import WarmSettings
from scrimp.gateway.callers import Caller, credential_of
from scrimp.gateway.settings import Settings
from scrimp.wire.loads import loads

__all__ = ["Warm", "read_warm"]

_VERSION = b"2023-06-01"


class Warm(msgspec.Struct, frozen=True):
    """One entry, ready to be sent."""

    settings: WarmSettings
    caller: Caller
    found: WarmUp
    rates: Rates
    headers: Headers


def read_warm(settings: Settings, upstream_keys: Mapping[str, str], facts: Facts, now: float) -> list[Warm]:
    """Every `[[warm]]` of the settings. Raises `InputError` for one that cannot be warmed."""
    return [_warm(one, settings, upstream_keys, facts, now) for one in settings.warm]


def _warm(
    one: WarmSettings, settings: Settings, upstream_keys: Mapping[str, str], facts: Facts, now: float
) -> Warm:
    where = f"warm {one.name!r}"
    name = one.upstream or settings.serve.upstream
    upstream, key = settings.upstreams.get(name), upstream_keys.get(name)
    if upstream is None:
        raise InputError(f"{where}: there is no [upstream.{name}]")
    if key is None:
        raise InputError(f"{where}: [upstream.{name}] has no key to pay with: set key_env or key_file")
    body, betas = _read(one, where)
    day = datetime.fromtimestamp(now, UTC).date()
    try:
        found = warm_up(body, sight_of(body, facts, day), one.ttl)
    except RequestError as error:
        raise InputError(f"{where}: {one.request} is no request: {error}") from None
    if isinstance(found, Unsuited):
        raise InputError(f"{where}: there is nothing to warm in {one.request}: {found.why}")
    credential = credential_of(upstream, key)
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"anthropic-version", _VERSION),
        (b"accept-encoding", b"identity"),
        credential,
    ]
    if betas:
        headers.append((b"anthropic-beta", ",".join(betas).encode()))
    return Warm(
        settings=one,
        caller=Caller(name, upstream.base_url, key, "observe", credential),
        found=found,
        rates=facts.resolve(str(body.get("model", ""))).rates(day, prompt_tokens=found.tokens),
        headers=headers,
    )


def _read(one: WarmSettings, where: str) -> tuple[dict[str, Any], list[str]]:
    try:
        body = loads(one.request.read_bytes())
    except OSError as error:
        raise InputError(f"{where}: {one.request} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{where}: {one.request} is not JSON: {error}") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise InputError(f"{where}: {one.request} is no request: an object with model, tools and system")
    betas = body.pop("betas", [])
    if not isinstance(betas, list) or not all(isinstance(beta, str) for beta in betas):
        raise InputError(f"{where}: {one.request}: betas is a list of names")
    return body, betas
