"""scrimp's own captures and ledgers read for what was billed. They say themselves what has changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from scrimp.core.spend import QUARTER, Call, Place
from scrimp.errors import InputError, StoreError
from scrimp.stores.capture import Capture, is_capture
from scrimp.stores.ledger_schema import LEDGER
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.traces.exchanges import read_exchange
from scrimp.traces.recorded_calls import unusable
from scrimp.traces.usage_calls import MAIN, SUB_AGENT, Calls
from scrimp.traces.usage_exchanges import place_of

__all__ = ["Database", "read_database"]


class Database(NamedTuple):
    """The calls of a capture or a ledger by message id, their places, and what could not be read."""

    calls: dict[str, Call]
    places: list[Place]
    faults: list[str]


def read_database(path: str) -> Database:
    """The billed calls of a database; of one that is neither a capture nor a ledger, that it is not."""
    calls, faults = Calls([], []), list[str]()
    try:
        if is_capture(Path(path)):
            faults = _add_captured(Path(path), calls)
        elif _is_ledger(Path(path)):
            _add_ledger(Path(path), calls)
        else:
            faults.append(f"{path}: neither a capture nor a ledger of scrimp")
    except StoreError as error:
        faults.append(f"{path}: {error}")
    return Database(calls.calls, list(calls.places), faults)


def _add_captured(path: Path, calls: Calls) -> list[str]:
    faults = []
    with closing(Capture(path)) as capture:
        for number, record in enumerate(capture.exchanges(), start=1):
            try:
                exchange = read_exchange(record, f"{path}:{number}", path.parent.name)
            except InputError as error:
                faults.append(str(error))
                continue
            usage, response = exchange.usage, exchange.response
            if usage is not None and unusable(exchange) is None:
                named = response.get("id") if isinstance(response, dict) else None
                calls.add(str(named or f"{path}:{number}"), place_of(exchange, usage), usage)
    return faults


def _add_ledger(path: Path, calls: Calls) -> None:
    with closing(SqliteLedger(path)) as ledger:
        for record in ledger.records():
            usage, tags = record.usage, record.tags
            if not (usage.total_input or usage.output_tokens or usage.iterations):
                continue
            place = Place(
                int(record.started_at // QUARTER),
                record.model,
                "/".join(tags.run) or "scrimp",
                tags.run_ids[0] if tags.run_ids else record.call_id,
                SUB_AGENT if len(tags.run) > 1 else MAIN,
                "ledger",
                usage.service_tier,
                usage.speed,
                usage.inference_geo,
                tags.user,
                tags.task_type,
            )
            calls.add(record.message_id or record.id, place, usage)


def _is_ledger(path: Path) -> bool:
    """Whether a file says that it is a ledger; it is only read, and never set aside."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            [mark] = db.execute("PRAGMA application_id").fetchone()
            return bool(mark == LEDGER.mark)
    except (OSError, sqlite3.Error):
        return False
