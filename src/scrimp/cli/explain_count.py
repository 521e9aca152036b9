"""The provider's own count of a request's tokens: free, and asked for only where the user says so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from scrimp.errors import InputError

__all__ = ["count_tokens", "key_is_there"]

_FIELDS = frozenset(
    {
        "cache_control",
        "messages",
        "model",
        "output_config",
        "output_format",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
"""What `count_tokens` takes ("Token counting"); others do not change the count, or are still in beta."""

_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_SECONDS = 30.0


def key_is_there() -> bool:
    """Whether the environment holds a key of the API."""
    return any(os.environ.get(name) for name in _KEYS)


def count_tokens(body: Mapping[str, Any]) -> int:
    """Ask `POST /v1/messages/count_tokens` at `ANTHROPIC_BASE_URL` (default: the API) how long `body` is.

    Nothing is billed. Raises InputError where there is no key or the API does not answer with a count.
    """
    if not key_is_there():
        raise InputError("--count asks the API's free token counter: set ANTHROPIC_API_KEY")
    import anthropic  # takes a second to import, and only this asks for it  # noqa: PLC0415

    asked = {name: value for name, value in body.items() if name in _FIELDS}
    try:
        with anthropic.Anthropic(timeout=_SECONDS) as client:
            told = client.post("/v1/messages/count_tokens", body=asked, cast_to=object)
    except anthropic.APIError as error:
        raise InputError(f"count_tokens: {_said(error)}") from None
    count = told.get("input_tokens") if isinstance(told, Mapping) else None
    if not isinstance(count, int):
        raise InputError("count_tokens: the answer holds no input_tokens")
    return count


def _said(error: Exception) -> str:
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, Mapping) else None
    said = inner.get("message") if isinstance(inner, Mapping) else None
    return said if isinstance(said, str) else " ".join(str(error).split())
