"""Calls of the official SDK as scrimp's own functions make them: arguments of `messages.create` as a body.

resource = messages_of(client, request)      # client.messages, or client.beta.messages
body = body_of(request)                      # what the API will be sent
with sent_as_marked():                       # a Middleware on the client keeps the markers that are there
    resource.create(**arguments(request, body))
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from scrimp.errors import InputError

__all__ = ["arguments", "body_of", "is_async", "is_sent_as_marked", "messages_of", "sent_as_marked"]

_NOT_IN_BODY = frozenset(
    {"betas", "extra_body", "extra_headers", "extra_query", "timeout", "user_profile_id", "workspace_id"}
)
_LEFT_OUT = frozenset({"NotGiven", "Omit"})

_as_marked: ContextVar[bool] = ContextVar("scrimp_as_marked", default=False)


def messages_of(client: Any, request: Mapping[str, Any] | None = None) -> Any:
    """The resource whose `create` takes this request: that of the beta API where it names `betas`.

    `client` is a client of the SDK, its `beta`, or the `messages` of either. Raises `InputError` otherwise.
    """
    resource = getattr(client, "messages", client)
    beta = getattr(client, "beta", None)
    if request is not None and "betas" in request and beta is not None:
        resource = beta.messages
    if not (hasattr(resource, "create") and hasattr(resource, "stream")):
        raise InputError(
            f"{type(client).__name__} is no client: pass an Anthropic or AsyncAnthropic client, or its beta"
        )
    return resource


def is_async(client: Any) -> bool:
    """Whether calls of this client are awaited; raises `InputError` for what is no client."""
    return inspect.iscoroutinefunction(inspect.unwrap(messages_of(client).create))


def body_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """The body that `create(**request)` sends, in plain values; raises `InputError` for what is none."""
    if not isinstance(request, Mapping):
        raise InputError(
            f"a request is a mapping of arguments for messages.create, not {type(request).__name__}"
        )
    body = {name: _plain(value) for name, value in request.items() if name not in _NOT_IN_BODY}
    extra = request.get("extra_body")
    if isinstance(extra, Mapping):
        body.update({name: _plain(value) for name, value in extra.items()})
    return {name: value for name, value in body.items() if not _is_left_out(value)}


def arguments(request: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that send `body` with what `request` says beside it (headers, betas, timeout)."""
    extra = request.get("extra_body")
    known = {name: value for name, value in request.items() if name in _NOT_IN_BODY}
    if not isinstance(extra, Mapping):
        return {**known, **body}
    own = {name: value for name, value in body.items() if name not in extra}
    return {**known, **own, "extra_body": {name: body[name] for name in extra if name in body}}


@contextmanager
def sent_as_marked() -> Iterator[None]:
    """What is sent in this block keeps its markers: they were set by one who knows what comes next."""
    token = _as_marked.set(True)
    try:
        yield
    finally:
        _as_marked.reset(token)


def is_sent_as_marked() -> bool:
    """Whether the call under way is to keep its markers."""
    return _as_marked.get()


def _plain(value: Any) -> Any:
    """Models of the SDK as mappings, generators as lists; everything else as it is."""
    if isinstance(value, (str, bytes, int, float, type)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if not _is_left_out(item)}
    dump = getattr(value, "model_dump", None)
    if callable(dump):  # as the SDK itself sends its models
        return dump(exclude_unset=True, mode="json", exclude=getattr(value, "__api_exclude__", None))
    if isinstance(value, Iterable) and not hasattr(value, "read"):
        return [_plain(item) for item in value]
    return value


def _is_left_out(value: Any) -> bool:
    return type(value).__name__ in _LEFT_OUT
