"""The gateway's own refusals, in the provider's shape: what clients know how to read and whether to retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from scrimp.asgi.shapes import Headers

__all__ = ["NOT_AGAIN", "RefusedError", "error_type", "refusal_body"]

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    431: "invalid_request_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The type the API gives each status (Messages API reference, "Errors"); `api_error` where it names none."""

NOT_AGAIN = (b"x-should-retry", b"false")
"""The official SDKs obey this header before they look at the status."""


class RefusedError(Exception):
    """The request ends here with an error of the gateway's own; no text of the request is in it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Headers | None = None,
        upstream: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """`upstream`: it is the upstream that failed. `details` are for programs."""
        super().__init__(message)
        self.status = status
        self.headers: Headers = headers or []
        self.upstream = upstream
        self.details = details

    @classmethod
    def for_now(cls, status: int, message: str, seconds: int = 1) -> RefusedError:
        """One that may work in a while."""
        return cls(status, message, headers=[(b"retry-after", b"%d" % seconds)])

    @classmethod
    def for_good(cls, status: int, message: str, *, details: Mapping[str, Any] | None = None) -> RefusedError:
        """One that the same request gets again, so that no client should try."""
        return cls(status, message, headers=[NOT_AGAIN], details=details)


def error_type(status: int) -> str:
    """What the API calls an error of this status."""
    return _TYPES.get(status, "api_error")


def refusal_body(
    status: int, message: str, request_id: str, details: Mapping[str, Any] | None = None
) -> bytes:
    """The JSON body of an error answer."""
    error = {"type": error_type(status), "message": message}
    body = {
        "type": "error",
        "error": error if details is None else {**error, "details": details},
        "request_id": request_id,
    }
    return orjson.dumps(body)
