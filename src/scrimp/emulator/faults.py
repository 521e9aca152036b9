"""What goes wrong, and when: rules that turn a good answer into a bad one.

Pauses add up. The first rule that ends an attempt decides how; the rules after it do not count that attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from scrimp.core.carry.summaries import asked_to_compact
from scrimp.emulator.refusals import Refusal
from scrimp.errors import InputError

__all__ = ["Effects", "Fault", "Faults", "Kind"]

Kind = Literal[
    "rate_limit",
    "spend_limit",
    "overloaded",
    "server_error",
    "disconnect",
    "cut",
    "stream_error",
    "slow_start",
    "slow_events",
    "no_summary",
    "failed_summary",
]
"""`rate_limit`: 429 with retry-after. `spend_limit`: the tier's cap, 429 without. `overloaded`: 529.
`server_error`: 500. `disconnect`: hung up before the first byte. `cut`: hung up in the middle of a stream, or
of the body. `stream_error`: an `error` event in the middle of a stream, a 529 where nothing is streamed.
`slow_start`: a pause before the first byte. `slow_events`: a pause before each event. `no_summary`: a request
for a summary on demand is refused, 529 `compaction_unavailable`. `failed_summary`: whoever asks for a summary
gets an empty one. These two let all other requests pass."""

_PAUSES = frozenset({"slow_start", "slow_events"})
_RATE_LIMITED = "This request would exceed your organization's rate limit. Please try again later."
_CAPPED = "You have reached your monthly spend limit. Your limit resets at the start of next month."
_NO_SUMMARY = "compaction: temporarily unavailable, please try again later"


class Fault(msgspec.Struct, frozen=True):
    """One rule.

    It lets the first `after` requests that fit pass, then hits every `every`th one, `times` in all (None: for
    good). `match` is asked with the request's body. `seconds` is the pause, or the `retry-after`. `events`
    is how many events of a stream are sent before it breaks (`cut`, `stream_error`).
    """

    kind: Kind
    times: int | None = 1
    after: int = 0
    every: int = 1
    match: Callable[[Mapping[str, Any]], bool] | None = None
    seconds: float = 1.0
    events: int = 4

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"fault {self.kind!r}: expected one of {', '.join(get_args(Kind))}")
        if self.every < 1 or self.after < 0 or self.seconds < 0 or self.events < 0:
            raise InputError(f"fault {self.kind}: every is at least 1, after, seconds and events at least 0")


class Effects(msgspec.Struct):
    """What the faults do to one attempt; pauses in seconds.

    `refusal` answers instead of the model. `hang_up` closes the connection unanswered. `break_after` ends a
    stream after so many events, with an `error` event where `error_event` says so. `failed_summary`: no
    summary comes of it.
    """

    refusal: Refusal | None = None
    hang_up: bool = False
    break_after: int | None = None
    error_event: Refusal | None = None
    failed_summary: bool = False
    pause: float = 0.0
    event_pause: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether some fault already decided how the attempt ends."""
        return self.refusal is not None or self.hang_up or self.break_after is not None


class Faults:
    """The rules in force, with their counts."""

    def __init__(self, rules: Sequence[Fault] = ()) -> None:
        self._rules: list[tuple[Fault, _Count]] = [(rule, _Count()) for rule in rules]

    def add(self, rule: Fault) -> None:
        """One more rule, after those in force."""
        self._rules.append((rule, _Count()))

    def clear(self) -> None:
        """No faults any more."""
        self._rules.clear()

    def strike(self, body: Mapping[str, Any]) -> Effects:
        """What happens to this attempt."""
        effects = Effects()
        for rule, count in self._rules:
            if effects.ended and rule.kind not in _PAUSES:
                continue
            if _concerns(rule, body) and count.hits(rule):
                _apply(rule, effects)
        return effects


def _concerns(rule: Fault, body: Mapping[str, Any]) -> bool:
    if rule.kind == "no_summary" and not body.get("compaction"):
        return False
    if rule.kind == "failed_summary" and not (body.get("compaction") or asked_to_compact(body)):
        return False
    return rule.match is None or rule.match(body)


class _Count(msgspec.Struct):
    seen: int = 0
    struck: int = 0

    def hits(self, rule: Fault) -> bool:
        self.seen += 1
        if rule.times is not None and self.struck >= rule.times:
            return False
        beyond = self.seen - rule.after - 1
        if beyond < 0 or beyond % rule.every:
            return False
        self.struck += 1
        return True


def _apply(rule: Fault, effects: Effects) -> None:
    if rule.kind == "slow_start":
        effects.pause += rule.seconds
    elif rule.kind == "slow_events":
        effects.event_pause += rule.seconds
    elif rule.kind == "disconnect":
        effects.hang_up = True
    elif rule.kind == "failed_summary":
        effects.failed_summary = True
    elif rule.kind in ("cut", "stream_error"):
        effects.break_after = rule.events
        effects.error_event = Refusal(529, "Overloaded") if rule.kind == "stream_error" else None
    else:
        effects.refusal = _refusal(rule)


def _refusal(rule: Fault) -> Refusal:
    match rule.kind:
        case "rate_limit":
            return Refusal(429, _RATE_LIMITED, retry_after=rule.seconds)
        case "spend_limit":
            return Refusal(429, _CAPPED, details={"error_code": "enforced_spend_limit_reached"})
        case "overloaded":
            return Refusal(529, "Overloaded")
        case "no_summary":
            return Refusal(529, _NO_SUMMARY, details={"error_code": "compaction_unavailable"})
        case _:
            return Refusal(500, "Internal server error")
