"""Prefixes that other workers of the same gateway write: who needs one waits for it as for one of our own.

Workers claim what they are about to write (`shared.Claims`). What another one has written just now is in the
cache, and is read; what it is writing is waited for, and looked at every few milliseconds meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple

from scrimp.core.prompt import Digest
from scrimp.core.workspace import Planned
from scrimp.gateway.lasting import lasting
from scrimp.gateway.shared import Claims
from scrimp.office import Office
from scrimp.wire.markers import TTL

__all__ = ["Elsewhere", "Told"]

_LOOK_EVERY = 0.004

Told = Callable[[Office, Digest, bool], None]
"""A prefix of this office that was waited for: whether it was written, or nobody writes it any more."""


class _Watched(NamedTuple):
    office: Office
    prefix: Digest
    ttl: TTL


class Elsewhere:
    """The other workers, for the gating of one; for the thread of its event loop alone."""

    def __init__(self, claims: Claims, told: Told) -> None:
        self._claims = claims
        self._told = told
        self._watched: dict[bytes, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    def claim(self, planned: Planned, office: Office) -> dict[Digest, float] | None:
        """Claim what a plan is the first here to write; None: it is claimed.

        Where others write some of it, or just did, nothing is claimed; the office is told, and the plan is to
        be made anew. Returns what they are still writing, and since when.
        """
        keys = {_key(office, prefix): prefix for prefix in planned.writing}
        found = self._claims.take(tuple(keys))
        if not found:
            return None
        writes = {write.prefix: write for write in planned.plan.chosen.outcome.writes}
        office.unplan(planned)
        for key, claim in found.items():
            write = writes.get(keys[key])
            if write is None:
                continue
            if claim.written:
                office.written_elsewhere(write.prefix, write.ttl)
            else:
                office.writing_elsewhere(write.prefix, (write.position, write.ttl))
                self._watch(key, _Watched(office, write.prefix, write.ttl))
        return {keys[key]: claim.since for key, claim in found.items() if not claim.written}

    def written(self, prefixes: Iterable[Digest], office: Office) -> None:
        """These can be read now."""
        keys = [_key(office, prefix) for prefix in prefixes]
        if keys:
            self._claims.written(keys)

    def dropped(self, prefixes: Iterable[Digest], office: Office) -> None:
        """Nothing came of writing these."""
        keys = [_key(office, prefix) for prefix in prefixes]
        if keys:
            self._claims.dropped(keys)

    def _watch(self, key: bytes, watched: _Watched) -> None:
        self._watched[key] = watched
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(lasting("looking at what other workers write", self._look))

    async def _look(self) -> None:
        """While anything is watched, see what became of it."""
        while self._watched:
            await asyncio.sleep(_LOOK_EVERY)
            for key, (office, prefix, ttl) in tuple(self._watched.items()):
                claim = self._claims.look(key)
                if claim is not None and not claim.written:
                    continue
                del self._watched[key]
                if claim is not None:
                    office.written_elsewhere(prefix, ttl)
                else:
                    office.writing_elsewhere(prefix, None)
                self._told(office, prefix, claim is not None)


def _key(office: Office, prefix: Digest) -> bytes:
    return blake2b(prefix, key=office.account, digest_size=16).digest()
