"""Requests of the gateway that came to nothing, for the log: some each second, the others as a number."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Failure", "FewEachSecond"]

MOST_EACH_SECOND = 10
"""Lines for one status: somebody who hammers shows as a number."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A request that ended with an error status. No text of the request or the answer is in it.

    `route` is one of a fixed few names, `error` what the API calls the status, `whose` error it was, `at`
    epoch seconds. `key` is the name of a virtual key, `upstream` the name in the settings.
    """

    at: float
    route: str
    method: str
    status: int
    error: str
    whose: Literal["gateway", "upstream"]
    duration: float
    request_id: str | None = None
    key: str | None = None
    upstream: str | None = None

    def fields(self, left_out: int) -> dict[str, Any]:
        """What a line says; `left_out` failures of that status had none before it."""
        return {
            "event": "failed",
            "request_id": self.request_id,
            "key": self.key,
            "route": self.route,
            "method": self.method,
            "status": self.status,
            "error": self.error,
            "whose": self.whose,
            "upstream": self.upstream,
            "duration_s": round(self.duration, 4),
            "left_out": left_out or None,
        }


class FewEachSecond:
    """Which failures get a line. For one thread."""

    def __init__(self, most: int = MOST_EACH_SECOND) -> None:
        self._most = most
        self._seconds: dict[int, int] = {}
        self._lines: dict[int, int] = {}
        self._left_out: dict[int, int] = {}

    def take(self, failure: Failure) -> int | None:
        """How many of its status were left out before it; None: it is left out too."""
        status, second = failure.status, int(failure.at)
        if self._seconds.get(status) != second:
            self._seconds[status], self._lines[status] = second, 0
        if self._lines[status] >= self._most:
            self._left_out[status] = self._left_out.get(status, 0) + 1
            return None
        self._lines[status] += 1
        return self._left_out.pop(status, 0)
