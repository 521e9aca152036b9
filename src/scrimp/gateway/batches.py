"""Message batches: paid for in advance where money is limited, and written down when their results are read.

The API bills a batch at half price, and says what when the results are fetched: each succeeded result is a
record of its own, named by batch and custom id, so that reading results twice changes nothing. Where a limit
holds, creating a batch holds the most that it can cost; a record without cost remembers which hold that is,
for whoever fetches the results, and when all of them were read it is released.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from scrimp.core.bill import bill
from scrimp.core.budget import Ask, Held, Refusal, scopes_of
from scrimp.core.budget_words import describe
from scrimp.core.record import Record, Tags
from scrimp.core.worst_case import worst_case
from scrimp.errors import BudgetUnavailable, InputError, ResponseError, StoreError
from scrimp.facts.models import Facts
from scrimp.gateway.bodies import read_object
from scrimp.gateway.refusals import RefusedError
from scrimp.office import Office
from scrimp.stores.budgets import Budgets
from scrimp.stores.ledger import Query
from scrimp.wire.bodies import Bodies
from scrimp.wire.loads import loads
from scrimp.wire.response import Usage, read_response

__all__ = ["Created", "Results", "held_for", "results_of"]

_PREFIX, _RESULTS = "/v1/messages/batches/", "/results"
_LEASE_SECONDS = 26 * 3600.0
"""A batch ends within 24 hours; a hold not settled by then counts as spent until the bill is known."""

_MOST_ANSWER_BYTES = 2**20


def results_of(method: str, path: str) -> str | None:
    """The id of the batch whose results are asked for; None: something else is."""
    if method != "GET" or not path.startswith(_PREFIX) or not path.endswith(_RESULTS):
        return None
    found = path.removeprefix(_PREFIX).removesuffix(_RESULTS)
    return found if found and "/" not in found else None


async def held_for(raw: bytes, tags: Tags, office: Office, hold: str) -> Created | None:
    """Hold the most that a batch can cost; None where nothing limits it. Raises `RefusedError`."""
    try:
        budgets = office.budgets()
        if budgets is None:
            return None
        now = office.clock()
        amount = await asyncio.to_thread(_worst, raw, office.facts, now)
        ask = Ask(hold, amount, now, now + _LEASE_SECONDS, scopes_of(tags))
        answer = await _reserved(budgets, ask)
    except (BudgetUnavailable, StoreError) as error:
        raise RefusedError.for_now(503, f"scrimp: {error}") from None
    if isinstance(answer, Refusal):
        office.audience.refused(answer, tags)
        raise RefusedError.for_good(402, describe(answer, ZoneInfo(answer.limit.zone)))
    for crossing in answer.crossed:
        office.audience.crossed(crossing)
    return Created(office, tags, hold, now) if answer.limits else None


async def _reserved(budgets: Budgets, ask: Ask) -> Held | Refusal:
    try:
        return await budgets.reserve(ask)
    except asyncio.CancelledError:  # nothing was sent, and nobody will
        budgets.release(ask.id)
        raise


def _worst(raw: bytes, facts: Facts, now: float) -> int:
    """Picodollars. Half price is for tokens alone, so what may search the web is held for in full."""
    body, _ = read_object(raw, Bodies())
    requests = body.get("requests")
    if not isinstance(requests, list):
        raise RefusedError.for_good(400, "requests: Field required")
    total = 0
    for request in requests:
        params = request.get("params") if isinstance(request, Mapping) else None
        if isinstance(params, Mapping):
            model = facts.resolve(str(params.get("model", "")))
            most = worst_case(params, model, facts=facts, at=now).amount
            total += most if _searches(params) else -(-most // 2)
    return total


def _searches(params: Mapping[str, Any]) -> bool:
    """Whether a request may search the web."""
    tools = params.get("tools")
    kinds = (
        (tool.get("type") for tool in tools if isinstance(tool, Mapping)) if isinstance(tools, list) else ()
    )
    return any(isinstance(kind, str) and kind.startswith("web_search") for kind in kinds)


class Created:
    """The meter of the answer that creates a batch."""

    def __init__(self, office: Office, tags: Tags, hold: str, now: float) -> None:
        self._office = office
        self._tags = tags
        self._hold = hold
        self._now = now
        self._answer = bytearray()

    def saw(self, chunk: bytes) -> None:
        """A part of the answer."""
        if len(self._answer) < _MOST_ANSWER_BYTES:
            self._answer += chunk

    def end(self) -> None:
        """Remember the hold under the id of the batch; one without an id keeps its hold."""
        try:
            said = loads(bytes(self._answer))
        except ValueError:
            return
        batch = said.get("id") if isinstance(said, dict) else None
        if isinstance(batch, str) and batch:
            note = "a batch was created: it is billed when its results are read"
            tags = _in_batch(self._tags, batch)
            # Not under the hold's own id: a hold that has a record counts as billed.
            created = _record(batch, self._hold, tags, at=self._now, notes=(note,))
            self._office.ledger.submit(created)

    def refused(self) -> None:
        """The batch was not created."""
        _release(self._office, self._hold)


class Results:
    """The meter of a batch's results: a line of JSON for each request, in any order."""

    def __init__(self, office: Office, tags: Tags, batch: str) -> None:
        self._office = office
        self._batch = batch
        self._tags = _in_batch(tags, batch)
        self._at = office.clock()
        self._hold: str | None = None
        self._written: set[str] = set()
        self._partial = b""
        self._unread = False

    def look_up(self) -> None:
        """Find out who created the batch, when, and which hold is for it, and what is written down already.

        Blocks on the disk.
        """
        try:
            for record in self._office.ledger.records(Query(run_id=self._batch)):
                self._written.add(record.id)
                if record.id == self._batch:
                    self._tags, self._at, self._hold = record.tags, record.started_at, record.call_id
        except (StoreError, InputError) as error:
            self._office.fault("who created a batch could not be looked up", error)

    def saw(self, chunk: bytes) -> None:
        """A part of the results."""
        lines = (self._partial + chunk).split(b"\n")
        self._partial = lines.pop()
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """No more of them come; see `complete` for where that was all of them."""
        self._line(self._partial)
        self._partial = b""

    def complete(self) -> None:
        """They were all there, and their records count: what was held for them is free again.

        Where some could not be read, their price is not known, and the hold stays.
        """
        if self._hold is not None and not self._unread:
            _release(self._office, self._hold)

    def _line(self, line: bytes) -> None:
        try:
            said = loads(line) if line.strip() else None
        except ValueError:
            self._unread = True
            return
        result = said.get("result") if isinstance(said, dict) else None
        if isinstance(said, dict) and isinstance(result, dict) and result.get("type") == "succeeded":
            self._succeeded(str(said.get("custom_id")), result.get("message"))

    def _succeeded(self, custom_id: str, message: Any) -> None:
        try:
            response = read_response(message)
        except ResponseError as error:
            self._office.fault("a result of a batch could not be metered", error)
            self._unread = True
            return
        facts = self._office.facts
        model = facts.resolve(response.model or "")
        found = bill(response.usage, model, at=self._at, batch=True, facts=facts)
        number = f"{self._batch}/{custom_id}"
        if number in self._written:
            return
        self._written.add(number)
        record = _record(number, self._batch, self._tags, at=self._at)
        self._office.keep(
            msgspec.structs.replace(
                record,
                model=model.id,
                outcome="complete",
                status=200,
                usage=response.usage,
                cost=found.total,
                measured=not found.estimated,
                notes=found.notes,
                message_id=response.id,
            )
        )


def _release(office: Office, hold: str) -> None:
    try:
        budgets = office.budgets()
    except BudgetUnavailable as error:  # the hold stays, and counts as spent when its lease ends
        office.fault("what was held for a batch is still held", error)
        return
    if budgets is not None:
        budgets.release(hold)


def _in_batch(tags: Tags, batch: str) -> Tags:
    """A batch is a run of its own inside whatever run created it."""
    return msgspec.structs.replace(tags, run=(*tags.run, "batch"), run_ids=(*tags.run_ids, batch))


def _record(number: str, call: str, tags: Tags, *, at: float, notes: tuple[str, ...] = ()) -> Record:
    return Record(
        id=number,
        call_id=call,
        attempt=0,
        started_at=at,
        first_event_at=None,
        ended_at=None,
        provider="anthropic",
        model="unknown",
        tags=tags,
        mode="observe",
        outcome="unknown",
        status=None,
        stream=False,
        usage=Usage(),
        cost=0,
        measured=True,
        notes=notes,
    )
