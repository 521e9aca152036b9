"""Being missed: how often a model needs again what was removed, and what that may cost before it is earned.

A result is missed the more likely the longer it is, and the less likely the older it is: of what was not
needed for `a` tool uses, the share that is needed later falls like one over the square root of `a`. How often
per token differs between tools and between kinds of work: that is learned, from a common beginning.

What is removed saves a little with every call and costs a lot when it is missed: an insurer's premiums and
claims. What such an account must hold so that it is hardly ever overdrawn is Lundberg's bound on ruin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp, inf, log, log1p, sqrt

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.facts.prices import Rates

__all__ = ["CALL_TOKENS", "Claims", "Misses", "Out", "fading", "reserve"]

CALL_TOKENS = 150
"""Tokens of a tool call written to fetch something again, its short thinking and text included."""

_AT_FIRST = 1e-4
_SELDOM_AT_FIRST = 1e-5
_SELDOM = ("edit", "write", "replace", "patch", "todo", "task")
"""Times that a token removed at the age of `_AGE` uses is missed, before anything is known of its tool.

Counted in six projects' sessions and three benchmarks' runs up to November 2026, each with all but its last
ten results removed: 0.7 to 3 times in ten thousand tokens for what read, searched or ran something, hardly
ever for what changed something and reported that it had.
"""
_AGE = 10
_TRUSTED_FROM = 250_000.0
"""Tokens of exposure from which on what was seen weighs more than what was assumed."""
_TOOLS_REMEMBERED = 256
_INHERITED = 2_000_000.0
"""Tokens of exposure that what an earlier process learned counts for, at most."""
_RUIN = 0.02
"""How often the reserve may turn out too small."""


class Out(msgspec.Struct, frozen=True):
    """A result that is or would be out of the prompt: its tokens, its tool, and how many uses came after."""

    tokens: int
    tool: str
    age: int


class Claims(msgspec.Struct, frozen=True):
    """What being missed is expected to cost: `rate` times per call, `size` picodollars each."""

    rate: float = 0.0
    size: float = 0.0


def fading(age: int) -> float:
    """Of what is missed after the age of ten uses, the part that is missed after `age`."""
    return sqrt(_AGE / max(age, 1))


class Misses:
    """What has been missed so far in one workspace, by tool."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}

    def passed(self, out: Out, uses: int = 1) -> None:
        """A removed result was out while `uses` more tool uses were made."""
        self._add(out.tool, out.tokens * (fading(out.age) - fading(out.age + uses)), 0)

    def missed(self, tool: str) -> None:
        """A removed result of this tool was needed."""
        self._add(tool, 0.0, 1)

    def per_token(self, tool: str) -> float:
        """Times that a token of this tool's results, removed at the age of ten uses, is missed."""
        exposed, missed = self._seen.get(tool, (0.0, 0))
        return (_TRUSTED_FROM * _at_first(tool) + missed) / (_TRUSTED_FROM + exposed)

    def expected(self, out: Out, calls: float) -> float:
        """How often a result that is removed now is missed in so many calls to come."""
        return out.tokens * self.per_token(out.tool) * (fading(out.age) - fading(out.age + round(calls)))

    def learned(self) -> dict[str, tuple[float, float]]:
        """By tool: tokens of exposure, and how often something of it was missed."""
        return dict(self._seen)

    def recall(self, learned: Mapping[str, tuple[float, float]]) -> None:
        """Begin with what an earlier process learned; what makes no sense is passed over."""
        for tool, (exposed, missed) in learned.items():
            if 0.0 <= missed < inf and 0.0 < exposed < inf:
                share = min(1.0, _INHERITED / exposed)
                self._add(tool, exposed * share, missed * share)

    def _add(self, tool: str, exposed: float, missed: float) -> None:
        before = self._seen.pop(tool, (0.0, 0))
        self._seen[tool] = (before[0] + exposed, before[1] + missed)
        forget_oldest(self._seen, _TOOLS_REMEMBERED)

    def claims(self, outs: Iterable[Out], context: int, rates: Rates, write: int) -> Claims:
        """What the next call may miss of `outs`, with `context` tokens read to fetch something again."""
        step = context * rates.read + CALL_TOKENS * (rates.output + write)
        rate = cost = squares = 0.0
        for out in outs:
            often = self.expected(out, 1.0)
            size = step + out.tokens * write
            rate += often
            cost += often * size
            squares += often * size * size
        return Claims(cost * cost / squares, squares / cost) if cost else Claims()


def _at_first(tool: str) -> float:
    name = tool.lower()
    return _SELDOM_AT_FIRST if any(word in name for word in _SELDOM) else _AT_FIRST


def reserve(claims: Claims, earned: float) -> float:
    """What an account must hold that earns so many picodollars a call; infinite where that is too little."""
    if not claims.rate:
        return 0.0
    load = claims.rate * claims.size / earned if earned > 0 else inf
    if load >= 1.0:
        return inf
    return claims.size * log(1.0 / _RUIN) / _adjustment(load)


def _adjustment(load: float) -> float:
    """Lundberg's coefficient for claims of one size: the positive root of `exp(y) - 1 = y / load`."""
    high = 2.0 * log1p(1.0 / load) + 2.0
    low = 0.0
    for _ in range(40):
        middle = (low + high) / 2
        if exp(middle) - 1.0 < middle / load:
            low = middle
        else:
            high = middle
    return max(low, 1e-9)
