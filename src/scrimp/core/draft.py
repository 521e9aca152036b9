"""The record of one attempt, from what is known before it is sent to its bill and what its hold comes to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from scrimp.core.bill import Bill, bill
from scrimp.core.budget import Held, Settlement
from scrimp.core.causes import Diagnosis
from scrimp.core.commands import Answer, Attempt, Finished, Keep
from scrimp.core.levers import Change
from scrimp.core.meter import Metered, OutputChars, estimate_output
from scrimp.core.record import Record
from scrimp.core.workspace import Planned
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.wire.response import Usage

__all__ = ["Bills", "Draft", "output_estimate"]


class Bills(msgspec.Struct, frozen=True, gc=False):
    """What an answer cost as far as is known, and the most it may turn out to have cost (None: no bound)."""

    usage: Usage
    model: Model
    known: Bill
    exact: bool
    most: int | None


class Draft(msgspec.Struct, frozen=True):
    """What is known of a record before it is sent."""

    attempt: Attempt
    planned: Planned | None
    model: Model
    fault: str | None
    started_at: float
    change: Change | None = None
    held: Held | None = None

    def kept(self, record: Record, most: int | None = None) -> Keep:
        """The record, and what its hold comes to: `most`, or all of it where nothing else bounds the bill.

        What is only feared stays within the hold, which bounds it already.
        """
        held = self.held
        if held is None:
            return Keep(record)
        feared = held.amount if most is None or most > held.amount else most
        cost = record.cost
        amount = feared if feared > cost else cost
        return Keep(record, Settlement(held.id, amount))

    def untouched(self, fault: str) -> Draft:
        """The caller's own request went out."""
        return msgspec.structs.replace(self, planned=None, change=None, fault=fault)

    def unanswered(self, now: float) -> Record:
        """No answer was seen. The request may have been billed: its input is kept as an estimate."""
        plan = self.planned.plan if self.planned else None
        usage = Usage(input_tokens=plan.total.mid if plan else 0)
        feared = Bill((), plan.input_cost.mid if plan else 0, measured=False, notes=(_UNSEEN,))
        return self._record(Bills(usage, self.model, feared, exact=False, most=None), ended_at=now)

    def bills(self, answer: Answer, metered: Metered, usage: Usage, facts: Facts) -> Bills:
        """The bill as the provider counts it, or the nearest to it that a broken stream allows."""
        # The model asked for also says where it runs, which has a price; the answer names the model alone.
        model, named = self.model, metered.model
        if named and named != model.id:
            answered = facts.resolve(named)
            model = model if answered.id == model.id else answered
        found = bill(usage, model, at=answer.started_at, facts=facts)
        if metered.complete and metered.input_exact:
            return Bills(usage, model, found, exact=True, most=found.total)
        most = None
        if metered.input_exact and not metered.hidden:
            most = bill(_with_more_output(usage), model, at=answer.started_at, facts=facts).total
        return Bills(usage, model, found.as_estimate("the response broke off"), exact=False, most=most)

    def billed(self, answer: Answer, finished: Finished, bills: Bills, miss: Diagnosis | None) -> Record:
        """The record of an answer."""
        return self._record(bills, answer, finished.metered, ended_at=finished.ended_at, miss=miss)

    def _own_cost(self, found: Bill, usage: Usage) -> int | None:
        """The caller's own request under the same model: its predicted input, scaled to the billed total.

        Nothing for a request that the caller did not make: none of it would have been.
        """
        if not self.attempt.asked:
            return 0
        if self.planned is None or not self.planned.plan.total.mid:
            return None
        plan, extra = self.planned.plan, self.change.own_extra if self.change else 0
        if plan.chosen is plan.own:
            return found.total + extra
        rest = found.total - sum(line.amount for line in found.lines if line.category in _INPUT)
        return plan.own.input_cost * usage.total_input // plan.total.mid + rest + extra

    def _notes(self, found: Bill, metered: Metered | None) -> tuple[str, ...]:
        """What levers did, what is not certain of the bill, and what the provider says of its cache."""
        notes = found.notes
        if self.change is not None:
            notes = (*(f"{one.action}: {one.what}" for one in self.change.decisions), *notes)
        if metered is not None and metered.missed is not None:
            notes = (*notes, f"the provider on the cache: {metered.missed}")
        return notes

    def _record(
        self,
        bills: Bills,
        answer: Answer | None = None,
        metered: Metered | None = None,
        *,
        ended_at: float,
        miss: Diagnosis | None = None,
    ) -> Record:
        attempt, planned, model, found = self.attempt, self.planned, bills.model, bills.known
        told = self.change is not None or (metered is not None and metered.missed is not None)
        chosen, prompt = (planned.plan.chosen.outcome, planned.asked.prompt) if planned else (None, None)
        # In their order: finding thirty names takes longer than all else about a record.
        return Record(
            attempt.id,
            attempt.call_id,
            attempt.number,
            answer.started_at if answer else self.started_at,
            answer.first_event_at if answer else None,
            ended_at,
            answer.provider if answer else "anthropic",
            model.id if len(model.id) <= _LONGEST_NAME else model.id[:_LONGEST_NAME],
            attempt.tags,
            attempt.mode,
            "unknown" if metered is None else "complete" if metered.complete else "cut off",
            answer.status if answer else None,
            attempt.stream,
            bills.usage,
            found.total,
            bills.exact and found.measured and not found.notes,
            self._notes(found, metered) if told else found.notes,
            self._own_cost(found, bills.usage) if metered else None,
            chosen.read if chosen else None,
            chosen.write_5m + chosen.write_1h if chosen else None,
            prompt.prefixes[-1] if prompt is not None and prompt.prefixes else None,
            metered.message_id if metered else None,
            answer.request_id if answer else None,
            self.fault,
            miss.cause.value if miss else None,
            miss.lost if miss else None,
            planned.static_tokens if planned else None,
            model.window if model.known else None,
        )


_UNSEEN = "no answer was seen: it may not have been billed"

_INPUT = frozenset({"input", "write_5m", "write_1h", "read"})

_LONGEST_NAME = 200
"""Characters of a model's name that are kept: what no model is called may be any text."""

_MORE_OUTPUT = 500
"""Tokens that the model may have written between the last event seen and its end: seconds' worth."""


def _with_more_output(usage: Usage) -> Usage:
    """The most that a broken stream may have been billed: half again what is estimated, and what was on its
    way."""
    return msgspec.structs.replace(usage, output_tokens=usage.output_tokens * 3 // 2 + _MORE_OUTPUT)


_OLDER_SHARE = {"claude-3": 7, "claude-4.7": 10}
"""Tenths of the newer tokenizer's tokens that a family needs for the same output."""


def _estimates(tenths: int) -> Callable[[OutputChars], int]:
    return lambda seen: -(-estimate_output(seen) * tenths // 10)


_ESTIMATES = {family: _estimates(tenths) for family, tenths in _OLDER_SHARE.items()}


def output_estimate(model: Model) -> Callable[[OutputChars], int]:
    """How many output tokens of `model` a broken stream's characters were."""
    return _ESTIMATES[model.tokenizer]
