"""The requests of a fan-out: read, compared, marked where they share a prefix, ready to be sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Literal

import msgspec

from scrimp.calls import arguments, body_of, messages_of
from scrimp.core.prompt import Prompt, read_prompt
from scrimp.core.sharing import Place, Sharer, shared_places
from scrimp.core.tokens.estimator import Estimator, Ruler, Settings, read_settings
from scrimp.core.workspace import cache_rules, reading
from scrimp.errors import RequestError
from scrimp.facts.models import Facts
from scrimp.wire.request import with_markers

__all__ = ["Call", "Kind", "read_requests"]

Kind = Literal["message", "stream", "helper"]
"""What a request gets: a message, the stream of `stream=True`, or that of `messages.stream`."""


class Call(msgspec.Struct, frozen=True):
    """One request as it will be sent. `can_stream` says that a leader may be streamed to see its start."""

    create: Callable[..., Any]
    open: Callable[..., Any]
    arguments: dict[str, Any]
    kind: Kind
    can_stream: bool
    path: tuple[Place, ...]


def read_requests(
    client: Any, requests: Sequence[Mapping[str, Any]], facts: Facts, *, helper: bool
) -> list[Call]:
    """Every request with its markers. One that cannot be read goes out as it is: the API will say why."""
    bodies = [body_of(request) for request in requests]
    ruler = Ruler()
    day = datetime.fromtimestamp(time.time(), UTC).date()
    shared = shared_places([_sharer(body, facts, ruler, day) for body in bodies])
    calls = []
    for request, body, found in zip(requests, bodies, shared, strict=True):
        resource = messages_of(client, request)
        marked = dict(with_markers(body, found.edits))
        kind: Kind = "helper" if helper else "stream" if body.get("stream") else "message"
        if helper:
            marked.pop("stream", None)
        calls.append(
            Call(
                create=resource.create,
                open=resource.stream,
                arguments=arguments(request, marked),
                kind=kind,
                can_stream=body.get("max_tokens") != 0,
                path=found.path,
            )
        )
    return calls


def _sharer(body: dict[str, Any], facts: Facts, ruler: Ruler, day: date) -> Sharer | None:
    """What can be compared with others; None for the next turn of a thread, whose start the API holds."""
    thread = body.get("thread")
    if isinstance(thread, Mapping) and thread.get("type") == "continue":
        return None
    name = str(body.get("model", ""))
    model = facts.resolve(name)
    try:
        prompt = read_prompt(body, reading(facts, model, day))
    except RequestError:
        return None
    estimator = Estimator(model, spelling=name, ruler=ruler)
    return Sharer(
        prompt=prompt,
        length=partial(_most_tokens, estimator, prompt, read_settings(body)),
        rules=cache_rules(facts, model, "anthropic", day, in_thread="thread" in body),
    )


def _most_tokens(estimator: Estimator, prompt: Prompt, settings: Settings, position: int) -> int:
    upto = position + 1
    return estimator.measure(prompt.blocks[:upto], settings, prompt.digests[:upto]).estimate.high
