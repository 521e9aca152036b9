"""Recorded exchanges, one on a line, read for what was billed."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import orjson

from scrimp.core.spend import QUARTER, Place
from scrimp.errors import InputError, TraceError
from scrimp.stores.trace_index import State
from scrimp.traces.exchanges import Exchange, read_exchange
from scrimp.traces.files import Faults, read_lines
from scrimp.traces.recorded_calls import unusable
from scrimp.traces.usage_calls import MAIN, Calls
from scrimp.traces.usage_file import UsageFile
from scrimp.wire.response import Usage

__all__ = ["place_of", "read_exchanges"]

_DIGEST = 16


def read_exchanges(path: str, state: State) -> UsageFile:
    """The billed Messages calls of a file of exchanges.

    Recorded bodies may have made-up ids, so that only two with one id and the same request are one call.
    """
    calls, found, faults = Calls([], []), UsageFile(path, state, end=state.size), Faults()
    try:
        for number, line in read_lines(Path(path), faults):
            try:
                _add(calls, line, f"{path}:{number}", Path(path).parent.name)
            except (orjson.JSONDecodeError, InputError, TypeError, ValueError) as error:
                _fail(found, f"{number}: {str(error).removeprefix(f'{path}:{number}: ')}")
    except TraceError as error:
        _fail(found, str(error).removeprefix(f"{path}: "))
    for fault in faults:
        _fail(found, f"{fault.line}: {fault.reason}")
    found.places, found.calls = list(calls.places), list(calls.calls.values())
    return found


def place_of(exchange: Exchange, usage: Usage) -> Place:
    """Where a recorded exchange belongs."""
    return Place(
        int(exchange.at // QUARTER) if exchange.timed else None,
        exchange.model,
        exchange.source,
        exchange.run,
        MAIN,
        "exchange",
        usage.service_tier,
        usage.speed,
        usage.inference_geo,
    )


def _add(calls: Calls, line: bytes, where: str, folder: str) -> None:
    record: Any = orjson.loads(line)
    if not isinstance(record, dict):
        raise InputError(f"{where}: not a JSON object")
    exchange = read_exchange(record, where, folder)
    usage = exchange.usage
    if usage is not None and unusable(exchange) is None:
        calls.add(_name(exchange), place_of(exchange, usage), usage)


def _name(exchange: Exchange) -> str:
    response = exchange.response
    named = response.get("id") if isinstance(response, dict) else None
    said = [named] if isinstance(named, str) and named else [exchange.source, exchange.run, exchange.seq]
    request = orjson.dumps(exchange.body, option=orjson.OPT_SORT_KEYS)
    return blake2b(msgspec.json.encode(said) + request, digest_size=_DIGEST).hexdigest()


def _fail(found: UsageFile, fault: str) -> None:
    if found.fault is None:
        found.fault = fault
    else:
        found.more_faults += 1
