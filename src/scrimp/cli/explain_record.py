"""One record of the ledger; with its request where the call was captured."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from scrimp.cli.explain_call import explain_call
from scrimp.cli.explain_model import Explained, price_list
from scrimp.cli.explain_place import Place
from scrimp.cli.input import Recordings
from scrimp.core.bill import bill
from scrimp.core.record import Record
from scrimp.errors import InputError, TraceError
from scrimp.facts.models import Facts
from scrimp.home import scrimp_home
from scrimp.stores.ledger import Ledger, Query
from scrimp.stores.opening import CAPTURE_FILE
from scrimp.traces.corpus import read_corpus

__all__ = ["explain_record", "find_record"]

_NOT_KEPT = (
    "the ledger keeps no prompts: blocks are known of captured calls (scrimp.Middleware(capture=True))"
)


def find_record(ledger: Ledger | None, place: Place) -> Record:
    """The record of an id – its own, its call's, its answer's or its request's –, or the n-th call of a run.

    Of several attempts of one call the last. Raises InputError where there is none.
    """
    if ledger is None:
        raise InputError(f"{place.name}: there is no such file, and no ledger to look it up in")
    if place.number is not None:
        return _of_run(ledger, place.name, place.number)
    for record in ledger.records(Query(newest_first=True)):
        if place.name in (record.id, record.call_id, record.message_id, record.request_id):
            return record
    raise InputError(
        f"{place.name}: no such file, and no record, call, message or request of the ledger has that id"
    )


def explain_record(record: Record, facts: Facts) -> Explained:
    """What the ledger knows of one attempt, and what its captured request shows."""
    model = facts.resolve(record.model)
    day = datetime.fromtimestamp(record.started_at, UTC).date()
    told = Explained(
        what="record",
        where=f"record {record.id}",
        prices=price_list(model, record.model, day, record.usage.total_input),
        run="/".join(record.tags.run),
        seq=record.attempt,
        at=record.started_at,
        usage=record.usage,
        bill=bill(record.usage, model, at=day, facts=facts),
        record=record,
        missing=(_NOT_KEPT,),
    )
    captured = _captured(record, facts)
    if captured is None:
        return told
    return replace(captured, what="record", where=told.where, run=told.run, record=record)


def _of_run(ledger: Ledger, run: str, number: int) -> Record:
    by_id = Query(run_id=run)
    query = by_id if ledger.totals((), by_id)[0].attempts else Query(run=tuple(run.split("/")))
    count = ledger.totals((), query)[0].attempts
    if not count:
        raise InputError(f"{run}: no such file, and no run of the ledger has that id or name")
    found = next(islice(ledger.records(query), number - 1, None), None) if number else None
    if found is None:
        raise InputError(f"{run}#{number}: the run has the calls 1 to {count:,}")
    return found


def _captured(record: Record, facts: Facts) -> Explained | None:
    """The call as it was captured in scrimp's home folder, among those that were captured with it."""
    path: Path = scrimp_home() / CAPTURE_FILE
    if record.message_id is None or not path.exists():
        return None
    corpus = read_corpus([path])
    try:
        return explain_call(Place(path=path, message=record.message_id), Recordings(corpus, facts))
    except TraceError:  # captured in part, or captured elsewhere: the record stands by itself
        return None
