"""One prefix to be warmed: the request for it, the lease on it, and what its answer means."""

from __future__ import annotations

import time
import uuid
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from scrimp.calls import arguments, body_of, messages_of
from scrimp.core.cache import TTL_SECONDS
from scrimp.core.keepalive import Entry
from scrimp.core.sight import sight_of
from scrimp.core.warmup import Unsuited, WarmUp, warm_up, warming_saves
from scrimp.errors import InputError, ScrimpWarning, StoreError
from scrimp.facts.models import default
from scrimp.facts.prices import Rates
from scrimp.pricing import cost
from scrimp.stores.leases import Claim, Leases, home_leases
from scrimp.warming.warmth import Warmth
from scrimp.wire.markers import TTL

__all__ = ["Job"]

_KEY_BYTES = 16


class Job:
    """What is known before anything is sent. Raises `InputError` for what is no client or no request."""

    def __init__(
        self,
        client: Any,
        request: Mapping[str, Any],
        *,
        ttl: TTL | None = None,
        leases: Leases | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.resource = messages_of(client, request)
        self._request = request
        self._leases = leases
        self._holder = uuid.uuid4().hex
        self._known_warm = False
        body = body_of(request)
        self._model = default().resolve(str(body.get("model", "")))
        self._day = datetime.fromtimestamp(clock(), UTC).date()
        self._found = warm_up(body, sight_of(body, default(), self._day), ttl)
        prefix = self._found.prefix if isinstance(self._found, WarmUp) else b""
        ttl_known = self._found.ttl if isinstance(self._found, WarmUp) else "5m"
        self._key = _key(self.resource, prefix, ttl_known)
        self.lifetime = float(TTL_SECONDS[ttl_known])

    def refused(self, at_once: float | None) -> Warmth | None:
        """Why nothing is to be sent, whatever is warm; `at_once` calls are about to start together."""
        found = self._found
        if isinstance(found, Unsuited):
            return Warmth(sent=False, why=found.why)
        if at_once is None:
            return None
        saves = warming_saves(found.tokens, self._rates(found), found.ttl, at_once)
        if saves > 0:
            return None
        return Warmth(
            sent=False, why=f"it does not pay: {at_once:g} calls at once write no more than it would"
        )

    def arguments(self, *, aloud: bool = False) -> dict[str, Any]:
        """Arguments for `create`; `aloud` asks for one token, where asking for none is refused."""
        return arguments(self._request, self._warm_up.aloud if aloud else self._warm_up.body)

    @property
    def is_silent(self) -> bool:
        """Whether no answer is asked for at first."""
        return self._warm_up.is_silent

    def entry(self, lead: float) -> Entry:
        """The entry as keeping it alive sees it, pinged `lead` seconds before it expires."""
        found = self._warm_up
        rates = self._rates(found)
        write = rates.write_1h if found.ttl == "1h" else rates.write_5m
        return Entry(
            ping=found.tokens * rates.read,
            saving=found.tokens * (write - rates.read),
            lifetime=self.lifetime,
            lead=lead,
        )

    def claim(self, margin: float) -> Claim:
        """Ask for the lease; a prefix is warm that is so for longer than `margin` seconds yet."""
        now = self.clock()
        try:
            claim = self._store().claim(self._key, self._holder, now=now, warm_beyond=now + margin)
            self._known_warm = claim.warm_until > now
            return claim
        except (StoreError, InputError) as error:
            _warn(f"nobody else was asked whether the prefix is warm: {error}")
            return Claim(taken=True)

    def release(self) -> None:
        """It was not warmed: the next one may try."""
        self._tell(lambda store: store.release(self._key, self._holder))

    def used(self, at: float) -> None:
        """The prefix was read or written by a request that started then."""
        self._tell(lambda store: store.warmed(self._key, self._holder, at + self.lifetime))

    def known(self, claim: Claim) -> Warmth:
        """It is warm already."""
        return Warmth(sent=False, why="it is warm already", expires_at=claim.warm_until)

    def answered(self, message: Any, started_at: float) -> Warmth:
        """What the bill of a warming request says; the lease is given back."""
        bill, usage = cost(message, at=started_at), message.usage
        written = usage.cache_creation_input_tokens or 0
        read = usage.cache_read_input_tokens or 0
        if not written + read:
            self.release()
            return Warmth(sent=True, why="the API cached nothing", cost=bill.usd)
        if not written and not self._known_warm:  # another's entry, which may be one of 5 minutes
            self.lifetime = float(TTL_SECONDS["5m"])
        self.used(started_at)
        why = "it was written" if written else "it was warm, and lives longer now"
        return Warmth(
            sent=True,
            why=why,
            written=written,
            read=read,
            cost=bill.usd,
            expires_at=started_at + self.lifetime,
        )

    @property
    def _warm_up(self) -> WarmUp:
        if isinstance(self._found, Unsuited):
            raise InputError(f"there is nothing to warm: {self._found.why}")
        return self._found

    def _rates(self, found: WarmUp) -> Rates:
        return self._model.rates(self._day, prompt_tokens=found.tokens)

    def _store(self) -> Leases:
        return self._leases or home_leases()

    def _tell(self, what: Callable[[Leases], None]) -> None:
        try:
            what(self._store())
        except (StoreError, InputError) as error:
            _warn(f"nobody else was told what became of a prefix: {error}")


def _key(resource: Any, prefix: bytes, ttl: TTL) -> bytes:
    """Names an entry of one workspace; what identifies the workspace cannot be read off it."""
    client = getattr(resource, "_client", None)
    whose = (getattr(client, name, None) for name in ("base_url", "api_key", "auth_token"))
    said = "\0".join([ttl, *(str(part) for part in whose)])
    return blake2b(said.encode() + b"\0" + prefix, digest_size=_KEY_BYTES).digest()


def _warn(reason: str) -> None:
    warnings.warn(f"scrimp: {reason}", ScrimpWarning, stacklevel=2)
