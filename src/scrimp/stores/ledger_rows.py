"""Records as rows of a ledger's tables, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import inf, nan
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import astuple, fields

from scrimp.core.forgetting import forget_oldest
from scrimp.core.record import Record, Tags
from scrimp.stores.adding import HOUR, Label, hour_of, label_of
from scrimp.stores.ledger_adding import added_up
from scrimp.stores.ledger_changes import in_one_row
from scrimp.stores.ledger_state import State
from scrimp.stores.retention import not_pruned
from scrimp.wire.response import Usage

__all__ = ["COLUMNS", "Added", "Labels", "insert_records", "paths", "read_record"]

Row = tuple[Any, ...]
_Said = tuple[Tags, str, str, str, str, str | None]
"""All that a record's label is made of."""

_DIGEST_BYTES = 16
_MOST_LABELS = 4096

_INSERT = """INSERT INTO records (
    id, call_id, attempt, label, hour, started_at, first_event_at, ended_at, status, stream,
    input_tokens, write_5m, write_1h, read, output_tokens, cost, measured, own_cost, static_tokens, lost,
    predicted_read, predicted_write, prompt, message_id, request_id, notes, usage, window, fault, miss
) VALUES """
_LABEL, _HOUR, _ADDEND = 3, 4, slice(10, 20)
"""Where in a row that is to be written is what `added_up` wants to know."""
_NULL = nan
"""For what most records do not have: SQLite writes NULL for what is not a number. `sqlite3` knows numbers,
texts and bytearrays; of whatever else, None too, it asks around for somebody who can adapt it, which takes
longer than writing it down."""
_VALUES = f"({', '.join('?' * 30)})"
_UNLESS_KNOWN = " ON CONFLICT (id) DO NOTHING"
_AT_ONCE = 32
_INSERTS = [_INSERT + ", ".join([_VALUES] * size) + _UNLESS_KNOWN for size in range(_AT_ONCE + 1)]
"""Statements of any number of rows: each statement hands the interpreter to other threads and has to win it
back, which costs more than the rows."""

_NEW_LABEL = f"""INSERT INTO labels (
    digest, provider, model, mode, outcome, run, run_ids, user, task_type, agent, team, key_name, inferred,
    cause, root_id, kind
) VALUES ({", ".join("?" * 16)})"""  # noqa: S608 - our own words only

COLUMNS = """id, call_id, attempt, started_at, first_event_at, ended_at,
    provider, model, run, run_ids, user, task_type, agent, mode, outcome,
    status, stream, usage, cost, measured, notes, own_cost, predicted_read, predicted_write,
    prompt, message_id, request_id, fault, miss, lost, static_tokens, team, key_name, inferred, window"""
"""Of `records JOIN labels`, in the order `read_record` takes them."""

_encode = msgspec.json.Encoder().encode
_usages = msgspec.json.Decoder(Usage)
_said: Callable[..., msgspec.Struct] = msgspec.defstruct(
    "_said", [(each.name, each.type, each.default) for each in fields(Usage)], omit_defaults=True, gc=False
)
"""A usage that leaves out what is as it is by default when it is encoded."""

_paths = msgspec.json.Decoder(tuple[str, ...])


class Added(NamedTuple):
    """What came of inserting records: the ids of those that are new, and what these add to the sums."""

    ids: set[str]
    sums: Sequence[Row]


class Labels:
    """Keys of labels, remembered for one connection: most records have the label of one just before."""

    def __init__(self) -> None:
        self._keys: dict[_Said, tuple[int, int]] = {}
        self._db: sqlite3.Connection | None = None

    def key(self, db: sqlite3.Connection, record: Record) -> tuple[int, int]:
        """The key of the label of `record`, which joins the table if it is new, and of its kind."""
        if db is not self._db:
            # A failed transaction costs its connection, so no key of one that was undone is remembered.
            self._keys, self._db = {}, db
        said = record.tags, record.provider, record.model, record.mode, record.outcome, record.miss
        known = self._keys.get(said)
        if known is None:
            known = self._keys[said] = _label_key(db, label_of(record))
            forget_oldest(self._keys, _MOST_LABELS)
        return known


def _label_key(db: sqlite3.Connection, label: Label) -> tuple[int, int]:
    digest = blake2b(msgspec.json.encode(label), digest_size=_DIGEST_BYTES).digest()
    found = db.execute("SELECT key, kind FROM labels WHERE digest = ?", (digest,)).fetchone()
    if found is not None:
        return cast("tuple[int, int]", found)
    run, run_ids = (msgspec.json.encode(path).decode() for path in (label.run, label.run_ids))
    root = label.run_ids[0] if label.run_ids else None
    kind = _label_key(db, label._replace(run_ids=()))[0] if label.run_ids else None
    row = (digest, *label[:4], run, run_ids, *label[6:], root, kind)
    key = cast(int, db.execute(_NEW_LABEL, row).lastrowid)
    if kind is None:
        db.execute("UPDATE labels SET kind = key WHERE key = ?", (key,))
    db.executemany(
        "INSERT INTO label_runs VALUES (?, ?)", [(run_id, key) for run_id in dict.fromkeys(label.run_ids)]
    )
    return key, key if kind is None else kind


def insert_records(db: sqlite3.Connection, records: Sequence[Record], labels: Labels, state: State) -> Added:
    """Add a row for each record whose id is new."""
    wanted = not_pruned(db, records, state.first_hour)
    kinds: dict[int, int] = {}
    rows = []
    hour, until = 0, -inf  # of the record before: most are of the same hour
    for record in wanted:
        label, kind = labels.key(db, record)
        kinds[label] = kind
        if not until - HOUR <= record.started_at < until:
            hour = hour_of(record.started_at)
            until = (hour + 1) * HOUR
        rows.append(_row(record, label, hour))
    added = 0
    for first in range(0, len(rows), _AT_ONCE):
        part = rows[first : first + _AT_ONCE]
        added += db.execute(_INSERTS[len(part)], in_one_row(part)).rowcount
    if added < len(rows):
        new = {id_ for (id_,) in db.execute("SELECT id FROM records WHERE seq > ?", (state.last,))}
        # Of several with one id the first is the one that was written.
        rows = list({row[0]: row for row in reversed(rows) if row[0] in new}.values())
    addends: dict[tuple[int, int], list[Row]] = {}
    at = 0, 0  # of the row before, to which most rows add as well
    alike: list[Row] = []
    for row in rows:
        if row[_LABEL] != at[0] or row[_HOUR] != at[1] or not alike:
            at = row[_LABEL], row[_HOUR]
            alike = addends.setdefault(at, [])
        alike.append(row[_ADDEND])
    return Added({row[0] for row in rows}, added_up(addends, kinds))


def _row(record: Record, label: int, hour: int) -> Row:
    usage = record.usage
    written = usage.cache_creation_input_tokens
    for_1h = usage.write_1h if written else 0
    return (
        record.id,
        record.call_id,
        record.attempt,
        label,
        hour,
        record.started_at,
        record.first_event_at,
        record.ended_at,
        record.status,
        1 if record.stream else 0,
        usage.input_tokens,
        written - for_1h,
        for_1h,
        usage.cache_read_input_tokens,
        usage.output_tokens,
        record.cost,
        1 if record.measured else 0,
        record.own_cost,
        record.static_tokens,
        _NULL if record.lost is None else record.lost,
        record.predicted_read,
        record.predicted_write,
        None if record.prompt is None else bytearray(record.prompt),
        record.message_id,
        record.request_id,
        _encode(record.notes).decode() if record.notes else "[]",
        _usage_text(usage),
        record.window,
        _NULL if record.fault is None else record.fault,
        _NULL if record.miss is None else record.miss,
    )


def _usage_text(usage: Usage) -> str:
    """Every field that says something: `read_record` knows what the others are."""
    return _encode(_said(*astuple(usage))).decode()


def read_record(row: Row) -> Record:
    """The record of a row of `COLUMNS`."""
    (id_, call_id, attempt, started_at, first_event_at, ended_at, provider, model, run, run_ids) = row[:10]
    (user, task_type, agent, mode, outcome, status, stream, usage, cost, measured, notes) = row[10:21]
    (own_cost, predicted_read, predicted_write, prompt, message_id, request_id, fault) = row[21:28]
    (miss, lost, static_tokens, team, key, inferred, window) = row[28:]
    return Record(
        id=id_,
        call_id=call_id,
        attempt=attempt,
        started_at=started_at,
        first_event_at=first_event_at,
        ended_at=ended_at,
        provider=provider,
        model=model,
        tags=Tags(paths(run), paths(run_ids), user, task_type, agent, team, key, bool(inferred)),
        mode=mode,
        outcome=outcome,
        status=status,
        stream=bool(stream),
        usage=_usages.decode(usage),
        cost=cost,
        measured=bool(measured),
        notes=paths(notes),
        own_cost=own_cost,
        predicted_read=predicted_read,
        predicted_write=predicted_write,
        prompt=prompt,
        message_id=message_id,
        request_id=request_id,
        fault=fault,
        miss=miss,
        lost=lost,
        static_tokens=static_tokens,
        window=window,
    )


@lru_cache(_MOST_LABELS)
def paths(text: str) -> tuple[str, ...]:
    """A list of texts, as its column has it."""
    return _paths.decode(text)
