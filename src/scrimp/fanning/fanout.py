"""`scrimp.fanout`: many requests at once that write what they share once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scrimp.calls import is_async
from scrimp.errors import InputError
from scrimp.facts.models import default
from scrimp.fanning.requests import read_requests
from scrimp.fanning.tasks import run_tasks
from scrimp.fanning.threads import run_threads

__all__ = ["fanout"]

_LIMIT = 32


def fanout(
    client: Any,
    requests: Iterable[Mapping[str, Any]],
    *,
    limit: int = _LIMIT,
    return_exceptions: bool = False,
    helper: bool = False,
) -> Any:
    """Send many requests so that a prefix they share is written to the cache once and read by all others.

        answers = await scrimp.fanout(async_client, requests)     # with an async client: await it
        answers = scrimp.fanout(client, requests, limit=8)        # with a sync client: threads

    `requests` are arguments of `client.messages.create`, or with `betas` of `client.beta.messages.create`.
    The answers are what `create` returns for each, in order: messages, and streams for `stream=True`; with
    `helper`, every request gets the stream of `client.messages.stream`. Streams are the caller's to close.

    Of the requests that share a prefix long enough to be cached the first goes alone until its response
    begins, then the others follow, at most `limit` at once; groups with prefixes of their own run one after
    another. Where requests part and none has a marker one is set: their content stays as it is. Requests that
    share nothing go untouched and wait for nobody.

    Every request is sent, whatever becomes of the others; a leader that fails is replaced. Then errors are
    returned in place of answers with `return_exceptions`, else `FanoutError` is raised from the first one,
    with all answers in its `results`. A fan-out that is cancelled cancels every request under way.

    Raises `InputError` for what is no client, no request, or a `limit` below 1.
    """
    if limit < 1:
        raise InputError(f"limit={limit}: at least 1 request has to go at a time")
    asked = list(requests)
    if is_async(client):
        return _in_tasks(client, asked, limit=limit, return_exceptions=return_exceptions, helper=helper)
    calls = read_requests(client, asked, default(), helper=helper)
    return run_threads(calls, limit=limit, return_exceptions=return_exceptions)


async def _in_tasks(
    client: Any, requests: list[Mapping[str, Any]], *, limit: int, return_exceptions: bool, helper: bool
) -> list[Any]:
    calls = read_requests(client, requests, default(), helper=helper)
    return await run_tasks(calls, limit=limit, return_exceptions=return_exceptions)
