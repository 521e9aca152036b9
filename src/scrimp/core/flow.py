"""One call, top to bottom: plan, foresee, send, meter, judge, record.

A generator that does no I/O. It yields commands and is sent the answers; two short drivers run it, one sync,
one async (`scrimp.drive`). Whatever goes wrong while sending is thrown into it, so that what must be written
down is written in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import msgspec

from scrimp.core.bill import Bill, bill
from scrimp.core.causes import Diagnosis
from scrimp.core.diagnose import Watched
from scrimp.core.meter import Metered, OutputChars, estimate_output
from scrimp.core.plan import Mode
from scrimp.core.record import Outcome, Record, Tags
from scrimp.core.workspace import Planned
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.request import Body
from scrimp.wire.response import Usage

__all__ = [
    "Answer",
    "Attempt",
    "Began",
    "Billed",
    "Command",
    "Dropped",
    "Fault",
    "Finished",
    "Foresee",
    "Keep",
    "Meter",
    "Plan",
    "Send",
    "flow",
    "output_estimate",
]


class Attempt(msgspec.Struct, frozen=True):
    """One HTTP attempt of a logical call. `number` counts the retries before it."""

    id: str
    call_id: str
    number: int
    body: Body
    mode: Mode
    tags: Tags
    stream: bool


class Plan(msgspec.Struct, frozen=True):
    """Plan the request. Answered with a `Planned`, None when there is nothing to plan, or a `Fault`.

    `label` says what kind of agent calls: those of a kind behave alike.
    """

    body: Body
    again: bool
    label: str | None = None


class Foresee(msgspec.Struct, frozen=True):
    """Say what the request should read, and warn of a miss that is certain. Answered with a `Watched`."""

    planned: Planned
    body: Body
    tags: Tags


class Send(msgspec.Struct, frozen=True):
    """Send the request with these edits (none: the very request). Answered with an `Answer`.

    `previous` is the last answer of the conversation: where the API diagnoses cache misses, it is asked to.
    """

    edits: tuple[MarkerEdit, ...]
    previous: str | None = None


class Began(msgspec.Struct, frozen=True):
    """A planned request was accepted: its entries are in the cache."""

    planned: Planned
    answer: Answer
    watched: Watched | None = None


class Dropped(msgspec.Struct, frozen=True):
    """The request came to nothing, or another went out in its place: it writes no entries."""

    planned: Planned
    watched: Watched | None


class Meter(msgspec.Struct, frozen=True):
    """Wait for the end of the response. Answered with `Finished`; for a stream that may be much later."""

    output_tokens_of: Callable[[OutputChars], int]


class Billed(msgspec.Struct, frozen=True):
    """A planned request's bill is known: learn from it. Answered with a `Diagnosis` where it missed.

    `missed` is the provider's own word on why, where it was asked.
    """

    planned: Planned
    usage: Usage
    message_id: str | None = None
    watched: Watched | None = None
    missed: str | None = None


class Keep(msgspec.Struct, frozen=True):
    """Write the record down."""

    record: Record


Command = Plan | Foresee | Send | Began | Dropped | Meter | Billed | Keep


class Fault(msgspec.Struct, frozen=True):
    """Why scrimp could not do its part, in one line without prompt text."""

    reason: str


class Answer(msgspec.Struct, frozen=True):
    """The response began. Times in epoch seconds; `fault` says why the untouched request went out."""

    status: int
    started_at: float
    first_event_at: float
    provider: str
    request_id: str | None = None
    fault: str | None = None


class Finished(msgspec.Struct, frozen=True):
    """The response is over, completely or not."""

    metered: Metered
    ended_at: float


_NO_CONNECTION = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""By name, which httpx and its successor share: the core knows no HTTP library."""


def flow(attempt: Attempt, facts: Facts, clock: Callable[[], float]) -> Generator[Command, Any, None]:
    """Everything that happens around one attempt; errors of sending pass through to the caller."""
    planned = yield Plan(attempt.body, again=attempt.number > 0, label=attempt.tags.label)
    fault = planned.reason if isinstance(planned, Fault) else None
    plan = planned if isinstance(planned, Planned) else None
    if plan and attempt.mode == "observe":
        plan = plan.untouched()
    model = plan.model if plan else facts.resolve(str(attempt.body.get("model", "")))
    draft = _Draft(attempt, plan, model, fault, clock())
    watched = yield from _foreseen(attempt, plan)
    edits = plan.plan.edits if plan else ()
    try:
        answer = yield Send(edits, _diagnosed(attempt, plan, facts))
    except GeneratorExit:
        raise
    except BaseException as error:  # a cancelled call may have been billed like any other
        yield from _dropped(plan, watched)
        if not _never_sent(error):
            yield Keep(draft.unanswered(clock()))
        raise
    if answer.status >= 400:
        yield from _dropped(plan, watched)
        return
    if answer.fault is not None:
        yield from _dropped(plan, watched)
        plan, watched, draft = None, None, draft.untouched(answer.fault)
    if plan:
        yield Began(plan, answer, watched)
    finished = yield Meter(output_estimate(model))
    if isinstance(finished, Fault) or finished.metered.usage is None:
        yield Keep(draft.unanswered(clock()))
        return
    metered = finished.metered
    found = None
    if plan and metered.input_exact:
        found = yield Billed(plan, metered.usage, metered.message_id, watched, metered.missed)
    miss = found if isinstance(found, Diagnosis) else None
    yield Keep(draft.billed(answer, finished, metered.usage, facts, miss))


def _foreseen(attempt: Attempt, planned: Planned | None) -> Generator[Command, Any, Watched | None]:
    watched = (yield Foresee(planned, attempt.body, attempt.tags)) if planned else None
    return watched if isinstance(watched, Watched) else None


def _dropped(planned: Planned | None, watched: Watched | None) -> Generator[Command, Any, None]:
    if planned is not None:
        yield Dropped(planned, watched)


def _never_sent(error: BaseException | None) -> bool:
    """Whether no connection was made, so that nothing can have been billed."""
    while error is not None:
        if type(error).__name__ in _NO_CONNECTION:
            return True
        error = error.__cause__
    return False


def _diagnosed(attempt: Attempt, planned: Planned | None, facts: Facts) -> str | None:
    """The answer to compare with, where asking is new to nobody: the caller did not, and the API can tell."""
    if planned is None or attempt.mode == "observe" or "diagnostics" in attempt.body:
        return None
    return planned.previous if facts.rules.cache_diagnostics(planned.asked.day) else None


def _told(metered: Metered) -> tuple[str, ...]:
    return () if metered.missed is None else (f"the provider on the cache: {metered.missed}",)


class _Draft(msgspec.Struct, frozen=True):
    """What is known of a record before it is sent."""

    attempt: Attempt
    planned: Planned | None
    model: Model
    fault: str | None
    started_at: float

    def untouched(self, fault: str) -> _Draft:
        """The caller's own request went out."""
        return msgspec.structs.replace(self, planned=None, fault=fault)

    def unanswered(self, now: float) -> Record:
        """No answer was seen. The request may have been billed: its input is kept as an estimate."""
        planned = self.planned
        return self._record(
            outcome="unknown",
            started_at=self.started_at,
            ended_at=now,
            usage=Usage(input_tokens=planned.plan.total.mid if planned else 0),
            cost=planned.plan.input_cost.mid if planned else 0,
            measured=False,
            notes=("no answer was seen: it may not have been billed",),
        )

    def billed(
        self, answer: Answer, finished: Finished, usage: Usage, facts: Facts, miss: Diagnosis | None
    ) -> Record:
        """The bill as the provider counts it, or the nearest to it that a broken stream allows."""
        metered = finished.metered
        # The model asked for also says where it runs, which has a price; the answer names the model alone.
        answered = facts.resolve(metered.model) if metered.model else self.model
        model = self.model if answered.id == self.model.id else answered
        found = bill(usage, model, at=answer.started_at, facts=facts)
        exact = metered.complete and metered.input_exact
        if not exact:
            found = found.as_estimate("the response broke off")
        return self._record(
            outcome="complete" if metered.complete else "cut off",
            started_at=answer.started_at,
            first_event_at=answer.first_event_at,
            ended_at=finished.ended_at,
            provider=answer.provider,
            model=model.id,
            status=answer.status,
            usage=usage,
            cost=found.total,
            measured=exact and not found.estimated,
            notes=(*found.notes, *_told(metered)),
            own_cost=self._own_cost(found, usage),
            message_id=metered.message_id,
            request_id=answer.request_id,
            miss=miss.cause.value if miss else None,
            lost=miss.lost if miss else None,
        )

    def _own_cost(self, found: Bill, usage: Usage) -> int | None:
        """The caller's own request under the same model: its predicted input, scaled to the billed total."""
        if self.planned is None or not self.planned.plan.total.mid:
            return None
        plan = self.planned.plan
        if plan.chosen is plan.own:
            return found.total
        rest = found.total - sum(found.amount(kind) for kind in ("input", "write_5m", "write_1h", "read"))
        return plan.own.input_cost * usage.total_input // plan.total.mid + rest

    def _record(self, *, outcome: Outcome, usage: Usage, **fields: Any) -> Record:
        attempt, planned = self.attempt, self.planned
        chosen = planned.plan.chosen if planned else None
        known: dict[str, Any] = {
            "id": attempt.id,
            "call_id": attempt.call_id,
            "attempt": attempt.number,
            "first_event_at": None,
            "provider": "anthropic",
            "model": self.model.id,
            "tags": attempt.tags,
            "mode": attempt.mode,
            "status": None,
            "stream": attempt.stream,
            "predicted_read": chosen.outcome.read if chosen else None,
            "predicted_write": chosen.outcome.written if chosen else None,
            "prompt": planned.prompt.prefixes[-1] if planned and len(planned.prompt) else None,
            "fault": self.fault,
        }
        return Record(outcome=outcome, usage=usage, **{**known, **fields})


_OLDER_SHARE = {"claude-3": 7, "claude-4.7": 10}
"""Tenths of the newer tokenizer's tokens that a family needs for the same output."""


def output_estimate(model: Model) -> Callable[[OutputChars], int]:
    """How many output tokens of `model` a broken stream's characters were."""
    tenths = _OLDER_SHARE[model.tokenizer]
    return lambda seen: -(-estimate_output(seen) * tenths // 10)
