"""One call, top to bottom: reshape, plan, foresee, reserve, send, meter, judge, settle and record.

A generator that does no I/O. It yields commands and is sent the answers; two short drivers run it, one sync,
one async (`scrimp.drive`). Whatever goes wrong while sending is thrown into it, so that what must be written
down, and what a hold comes to, is worked out in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import msgspec

from scrimp.core.budget import Held
from scrimp.core.causes import Diagnosis
from scrimp.core.commands import (
    Answer,
    Attempt,
    Began,
    Billed,
    Command,
    Dropped,
    Fault,
    Finished,
    Foresee,
    Meter,
    Plan,
    Release,
    Reserve,
    Reshape,
    Send,
    Tell,
)
from scrimp.core.diagnose import Watched
from scrimp.core.draft import Draft, output_estimate
from scrimp.core.levers import Answered, Change
from scrimp.core.meter import Metered
from scrimp.core.record import Record
from scrimp.core.workspace import Planned
from scrimp.errors import ContextExceeded, PlanError
from scrimp.facts.models import Facts
from scrimp.wire.response import Usage

__all__ = ["flow"]


_NO_CONNECTION = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""By name, which httpx and its successor share: the core knows no HTTP library."""


def flow(attempt: Attempt, facts: Facts, clock: Callable[[], float]) -> Generator[Command, Any, None]:
    """Everything that happens around one attempt; errors of sending pass through to the caller.

    Raises `BudgetExceeded` or `ContextExceeded` where a limit does not let it go out, and what a lever says
    in its place.
    """
    own = attempt
    draft, watched = yield from _prepared(attempt, facts, clock)
    attempt, plan, change = draft.attempt, draft.planned, draft.change
    edits = plan.plan.edits if plan else ()
    try:
        previous = _diagnosed(attempt, plan, facts) if plan and plan.previous is not None else None
        answer = yield Send(edits, previous, None if change is None else _changed(own, change))
    except GeneratorExit:
        raise
    except BaseException as error:  # a cancelled call may have been billed like any other
        yield from _dropped(plan, watched)
        if _never_sent(error):
            yield from _released(draft)
        else:
            yield draft.kept(draft.unanswered(clock()))
        raise
    if answer.refused or answer.status >= 400:
        yield from _dropped(plan, watched)
        yield from _released(draft)
        if answer.refused:
            yield from flow(_untouched(own, answer), facts, clock)
        return
    if answer.fault is not None:
        yield from _dropped(plan, watched)
        plan, watched, draft = None, None, draft.untouched(answer.fault)
    if attempt.untouched is not None:
        yield Tell(None)
    if plan:
        yield Began(plan, answer, watched)
    finished = yield Meter(output_estimate(draft.model))
    metered, miss = finished.metered if isinstance(finished, Finished) else None, None
    if metered is None or metered.usage is None:
        yield draft.kept(draft.unanswered(clock()))
        return
    if plan and metered.input_exact:
        miss = _missed((yield _billed(plan, watched, metered, draft)), change)
    bills = draft.bills(answer, metered, metered.usage, facts)
    record = draft.billed(answer, finished, bills, miss)
    yield draft.kept(record, bills.most)
    if attempt.reshapes:
        sent = attempt.body if answer.fault is None and attempt.untouched is None else None
        another = _another(draft, (yield Tell(_answered(finished), sent)), record)
        yield from _followed(another, facts, clock)


def _followed(
    another: Attempt | None, facts: Facts, clock: Callable[[], float]
) -> Generator[Command, Any, None]:
    """The attempt that a lever wants to follow."""
    if another is not None:
        try:
            yield from flow(another, facts, clock)
        except Exception:  # noqa: BLE001 - whatever it was, the caller has the answer that came before it
            return


def _untouched(own: Attempt, answer: Answer) -> Attempt:
    """The attempt as its caller wrote it. Raises `PlanError` for one that only a lever asked for."""
    if own.follows is not None:
        raise PlanError("what a lever asked for in place of an answer was refused")
    return msgspec.structs.replace(own, id=f"{own.id}-", untouched=answer.fault or "")


def _changed(own: Attempt, change: Change) -> Change | None:
    """What is to be sent in place of the request, if anything: levers may have words for the ledger alone."""
    if change.body is own.body and not change.betas and own.follows is None:
        return None
    return change


def _another(draft: Draft, found: Any, record: Record) -> Attempt | None:
    """The attempt that a lever wants to follow; the caller's own would have been that one alone."""
    first, before = draft.attempt, draft.change
    if not isinstance(found, Change) or first.follows is not None:
        return None
    betas = (*before.betas, *found.betas) if before is not None else found.betas
    extra = found.own_extra - (record.cost if record.own_cost is None else record.own_cost)
    change = msgspec.structs.replace(found, betas=tuple(dict.fromkeys(betas)), own_extra=extra)
    return msgspec.structs.replace(
        first, id=f"{first.id}+", number=first.number + 1, body=change.body, follows=change
    )


def _prepared(
    attempt: Attempt, facts: Facts, clock: Callable[[], float]
) -> Generator[Command, Any, tuple[Draft, Watched | None]]:
    """The request reshaped, planned, watched and paid for.

    Raises, having dropped the plan, where a limit says no.
    """
    change = None
    if attempt.reshapes or attempt.follows is not None:
        change = yield from _reshaped(attempt)
    if change is not None:
        attempt = msgspec.structs.replace(attempt, body=change.body)
    planned = None
    if attempt.plans:
        planned = yield Plan(attempt.body, attempt.number > 0, attempt.tags.label)
    plan, fault = planned if isinstance(planned, Planned) else None, attempt.untouched
    if plan is None and isinstance(planned, Fault):
        fault = planned.reason
    if plan and (attempt.mode == "observe" or attempt.untouched is not None):
        plan = plan.untouched()
    model = plan.asked.model if plan else facts.resolve(str(attempt.body.get("model", "")))
    started_at, watched = clock(), None
    if plan:
        cuts = change is not None and change.cuts
        watched = yield Foresee(plan, attempt.body, attempt.tags, cuts)
        watched = watched if isinstance(watched, Watched) else None
    try:
        if plan and attempt.max_context is not None and plan.plan.total.mid > attempt.max_context:
            raise ContextExceeded(plan.plan.total.mid, attempt.max_context, model.window)
        held = yield Reserve(attempt, model, plan)
    except GeneratorExit:
        raise
    except BaseException:  # a call cancelled while it waits may get its hold all the same
        yield from _dropped(plan, watched)
        yield Release(attempt.id)
        raise
    held = held if held is not None and isinstance(held, Held) and held.limits else None
    return Draft(attempt, plan, model, fault, started_at, change, held), watched


def _reshaped(attempt: Attempt) -> Generator[Command, Any, Change | None]:
    """What the levers make of the request; raises what one of them says in its place."""
    if attempt.follows is not None:
        return attempt.follows
    found = (yield Reshape(attempt)) if attempt.untouched is None else None
    if not isinstance(found, Change):
        return None
    if found.error is not None:
        raise found.error
    return found


def _billed(plan: Planned, watched: Watched | None, metered: Metered, draft: Draft) -> Billed:
    usage, tags, edited = metered.usage or Usage(), draft.attempt.tags, metered.edited
    cuts = draft.change is not None and draft.change.cuts
    return Billed(plan, usage, metered.message_id, watched, metered.missed, tags, edited, cuts)


def _missed(found: Any, change: Change | None) -> Diagnosis | None:
    """What the bill shows of a miss; where the cache is broken on purpose, that is none."""
    if found is None or (change is not None and change.cuts):
        return None
    return found if isinstance(found, Diagnosis) else None


def _answered(finished: Finished) -> Answered:
    metered = finished.metered
    usage = metered.usage or Usage()
    return Answered(usage, metered.stop_reason, metered.complete, finished.ended_at, edited=metered.edited)


def _released(draft: Draft) -> Generator[Command, Any, None]:
    if draft.held is not None:
        yield Release(draft.held.id)


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


def _diagnosed(attempt: Attempt, planned: Planned, facts: Facts) -> str | None:
    """The answer to compare with, where asking is new to nobody: the caller did not, and the API can tell."""
    if "diagnostics" in attempt.body:
        return None
    if attempt.mode == "observe" or attempt.untouched is not None:
        return None
    return planned.previous if facts.rules.cache_diagnostics(planned.asked.day) else None
