"""`scrimp.warm`: write a prefix to the cache before it is needed, once for everybody who needs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import anthropic

from scrimp.calls import is_async, sent_as_marked
from scrimp.stores.leases import Claim, Leases
from scrimp.warming.job import Job
from scrimp.warming.warmth import Warmth
from scrimp.wire.markers import TTL

__all__ = ["MARGIN", "awarm_job", "warm", "warm_job"]

MARGIN = 30.0
"""Seconds that a prefix has to be warm for yet to count as warm."""

_POLL_SECONDS = 0.05


def warm(
    client: Any,
    request: Mapping[str, Any],
    *,
    ttl: TTL | None = None,
    at_once: float | None = None,
    leases: Leases | None = None,
    clock: Callable[[], float] = time.time,
) -> Any:
    """Write the stable part of a request to the cache without asking for an answer; returns a `Warmth`.

        scrimp.warm(client, {"model": …, "system": …, "tools": …})
        await scrimp.warm(async_client, request)

    `request` holds arguments of `client.messages.create`; messages may be left out. Stable is what ends at
    its last marker; without one, tools and system; where those are too short to be cached, all but the last
    block. The entry lives for `ttl` (by default the caller's, or 5m). Sent is what the prefix needs, with
    `max_tokens: 0`, or 1 where that is refused.

    Nothing is sent when the prefix is too short to be cached, when it is known to be warm, when another task,
    thread or process of this machine is at it (then this returns once that is done), or when it does not pay
    for the calls that start `at_once`: one call alone writes its prefix itself, from two on warming is
    cheaper. Left out, the speed of the first call is worth the price of one read more. `leases` is where
    processes agree, by default a file in scrimp's home folder.

    Raises what the SDK raises, and `InputError` for what is no client or no request.
    """
    job = Job(client, request, ttl=ttl, leases=leases, clock=clock)
    if is_async(client):
        return _awarm(job, at_once)
    return job.refused(at_once) or warm_job(job, MARGIN)


async def _awarm(job: Job, at_once: float | None) -> Warmth:
    return job.refused(at_once) or await awarm_job(job, MARGIN)


def warm_job(job: Job, margin: float) -> Warmth:
    """Warm a prefix, unless it is warm for longer than `margin` seconds yet, by a sync client."""
    while not (claim := job.claim(margin)).taken:
        if claim.held_until <= 0:
            return job.known(claim)
        time.sleep(_POLL_SECONDS)
    started_at, message = job.clock(), None
    try:
        with sent_as_marked():
            message = _send(job)
    finally:
        if message is None:
            job.release()
    return job.answered(message, started_at)


async def awarm_job(job: Job, margin: float) -> Warmth:
    """`warm_job`, by an async client."""
    while not (claim := await _claimed(job, margin)).taken:
        if claim.held_until <= 0:
            return job.known(claim)
        await asyncio.sleep(_POLL_SECONDS)
    started_at, message = job.clock(), None
    try:
        with sent_as_marked():
            message = await _asend(job)
    finally:
        if message is None:
            job.release()
    return await asyncio.to_thread(job.answered, message, started_at)


async def _claimed(job: Job, margin: float) -> Claim:
    """Ask for the lease beside the event loop; a task that is cancelled meanwhile gives it back."""
    claiming = asyncio.ensure_future(asyncio.to_thread(job.claim, margin))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        await claiming
        job.release()
        raise


def _send(job: Job) -> Any:
    try:
        return job.resource.create(**job.arguments())
    except anthropic.BadRequestError:
        if not job.is_silent:
            raise
    return job.resource.create(**job.arguments(aloud=True))


async def _asend(job: Job) -> Any:
    try:
        return await job.resource.create(**job.arguments())
    except anthropic.BadRequestError:
        if not job.is_silent:
            raise
    return await job.resource.create(**job.arguments(aloud=True))
