"""Errors as the API answers them: status, type, message, sometimes a machine-readable code."""

from __future__ import annotations

from typing import Any

import msgspec

from scrimp.emulator.encode import encode

__all__ = ["Refusal", "error_object", "invalid", "not_found", "refusal_body"]

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The type the API gives each status ("Errors"); `api_error` where it names none."""


class Refusal(msgspec.Struct, frozen=True):
    """An error answer. `details` may hold `error_code`; `retry_after` is in seconds (None: no header)."""

    status: int
    message: str
    details: dict[str, Any] | None = None
    retry_after: float | None = None

    @property
    def type(self) -> str:
        """The error type that goes with the status."""
        return _TYPES.get(self.status, "api_error")


def invalid(message: str) -> Refusal:
    """A 400."""
    return Refusal(400, message)


def not_found(message: str) -> Refusal:
    """A 404."""
    return Refusal(404, message)


def error_object(refusal: Refusal) -> dict[str, Any]:
    """The `error` member of an error body."""
    error: dict[str, Any] = {"type": refusal.type, "message": refusal.message}
    if refusal.details is not None:
        error["details"] = refusal.details
    return error


def refusal_body(refusal: Refusal, request_id: str) -> bytes:
    """The whole JSON body of an error answer."""
    return encode({"type": "error", "error": error_object(refusal), "request_id": request_id})
