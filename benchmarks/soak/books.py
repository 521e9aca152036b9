"""What the ledger has of a soak, against what the emulator billed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from scrimp.core.record import Record
from scrimp.emulator import Emulator
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["Books", "audited"]


class Books(NamedTuple):
    """How many calls were billed, how many records there are, and what is not as it should be."""

    billed: int
    records: int
    faults: list[str]


def audited(emulator: Emulator, path: Path) -> Books:
    """Read the ledger at `path`, once nobody writes to it any more."""
    with closing(SqliteLedger(path)) as kept:
        records = list(kept.records())
        standings = kept.budgets.standings(time.time())
    faults = list(_differences(emulator, records))
    faults += [f"{one.limit.id}: {one.held} p$ held" for one in standings if one.held]
    faults += [f"{one.limit.id}: above its limit" for one in standings if one.left + one.overrun < 0]
    return Books(len(emulator.bill), len(records), faults)


def _differences(emulator: Emulator, records: Sequence[Record]) -> Iterator[str]:
    kept = {record.message_id: record for record in records if record.message_id}
    twice = [
        name for name, times in Counter(r.message_id for r in records if r.message_id).items() if times > 1
    ]
    if twice or len({record.id for record in records}) != len(records):
        yield f"{len(twice)} messages are there twice: {twice[:3]}"
    unseen = sum(record.message_id is None for record in records)
    lost = [one for one in emulator.bill if one.message_id not in kept]
    # Of a call whose client left, or whose connection broke, nothing says which message it was.
    if len(lost) > unseen:
        yield f"{len(lost)} billed messages are missing, {unseen} records are of calls without an answer"
    for one in emulator.bill:
        record = kept.get(one.message_id)
        if record is None:
            continue
        if one.outcome == "complete" and record.measured and record.cost != one.cost:
            yield f"{one.message_id}: {one.cost} p$ billed, {record.cost} recorded"
        if not record.measured and record.usage.total_input != one.usage.total_input:
            inputs = one.usage.total_input, record.usage.total_input
            yield f"{one.message_id}: input {inputs[0]} billed, {inputs[1]} recorded"
