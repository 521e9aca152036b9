"""Rate-limit headers: token buckets that are reported and never enforced; a `Fault` refuses where wanted."""

from __future__ import annotations

from datetime import UTC, datetime

from scrimp.wire.response import Usage

__all__ = ["RateLimits"]

_PER_MINUTE = {"requests": 4_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
_MINUTE = 60.0


class _Bucket:
    """A bucket that refills continuously."""

    __slots__ = ("at", "level", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.level = float(limit)
        self.at = float("-inf")

    def take(self, amount: int, now: float) -> None:
        refilled = self.level + max(0.0, now - self.at) * self.limit / _MINUTE
        self.level = max(0.0, min(float(self.limit), refilled) - amount)
        self.at = now

    def full_at(self) -> float:
        return self.at + (self.limit - self.level) * _MINUTE / self.limit


class RateLimits:
    """The buckets of one organisation; cache reads do not count as input."""

    def __init__(self) -> None:
        self._buckets = {name: _Bucket(limit) for name, limit in _PER_MINUTE.items()}

    def count(self, usage: Usage, now: float) -> None:
        """Take a request out of the buckets."""
        self._buckets["requests"].take(1, now)
        self._buckets["input-tokens"].take(usage.input_tokens + usage.cache_creation_input_tokens, now)
        self._buckets["output-tokens"].take(usage.output_tokens, now)

    def headers(self, now: float) -> list[tuple[bytes, bytes]]:
        """The headers, token counts rounded to thousands."""
        found: list[tuple[bytes, bytes]] = []
        rounded = {name: _left(name, bucket) for name, bucket in self._buckets.items()}
        tokens = [self._buckets["input-tokens"], self._buckets["output-tokens"]]
        for name, bucket in self._buckets.items():
            found += _rows(name, bucket.limit, rounded[name], max(now, bucket.full_at()))
        total = sum(bucket.limit for bucket in tokens)
        left = rounded["input-tokens"] + rounded["output-tokens"]
        return found + _rows("tokens", total, left, max(now, *(bucket.full_at() for bucket in tokens)))


def _left(name: str, bucket: _Bucket) -> int:
    return int(bucket.level) if name == "requests" else round(bucket.level / 1000) * 1000


def _rows(name: str, limit: int, remaining: int, reset: float) -> list[tuple[bytes, bytes]]:
    prefix = f"anthropic-ratelimit-{name}".encode()
    at = datetime.fromtimestamp(reset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return [
        (prefix + b"-limit", b"%d" % limit),
        (prefix + b"-remaining", b"%d" % remaining),
        (prefix + b"-reset", at),
    ]
