"""Errors as the API states them: a status, a body, a few headers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scrimp.wire.loads import loads

__all__ = ["ApiError", "read_error"]

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The type the API gives each status (Messages API reference, "Errors"); `api_error` where it names none."""

_MESSAGE_LIMIT = 500


class ApiError(msgspec.Struct, frozen=True):
    """What an error response says; a value, not an exception. `retry_after` is in seconds."""

    status: int
    type: str
    message: str
    error_code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None


def read_error(
    status: int, body: bytes | Mapping[str, object], headers: Mapping[str, str] | None = None
) -> ApiError:
    """Read an error response; never fails, since proxies answer with HTML, nothing at all, or their own JSON.

    A `type` the body lacks is the one the API uses for `status`; a message it lacks is the start of the text.
    """
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    parsed = _mapping(body)
    error = _mapping(parsed.get("error"))
    message = _text(error.get("message")) or _text(parsed.get("message")) or _plain(body)
    return ApiError(
        status=status,
        type=_text(error.get("type"))
        or _TYPES.get(status, "api_error" if status >= 500 else "unknown_error"),
        message=message,
        error_code=_text(_mapping(error.get("details")).get("error_code")),
        request_id=_text(parsed.get("request_id")) or lowered.get("request-id"),
        retry_after=_seconds(lowered),
    )


def _mapping(value: object) -> Mapping[str, object]:
    """`value` as a mapping, decoding bytes; an empty one when it is anything else."""
    if isinstance(value, bytes):
        try:
            value = loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _plain(body: bytes | Mapping[str, object]) -> str:
    """A readable start of a body that has no message of its own."""
    return (
        " ".join(body.decode("utf-8", "replace").split())[:_MESSAGE_LIMIT] if isinstance(body, bytes) else ""
    )


def _seconds(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms` before `retry-after`, as the SDK reads them; a date would need a clock: None."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            wait = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= wait < float("inf"):
            return wait
    return None
