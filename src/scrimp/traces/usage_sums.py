"""Sums of many recordings: what has changed is read, what is known is not, and no call counts twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from scrimp.core.spend import Cell
from scrimp.core.spend_pricing import priced
from scrimp.facts.models import Facts, default
from scrimp.stores.trace_index import Entry, State, TraceIndex
from scrimp.traces.usage_entries import cells_without, repriced
from scrimp.traces.usage_listing import Listed
from scrimp.traces.usage_workers import read_entries

__all__ = ["Summed", "bring_up_to_date", "summed"]

Advance = Callable[[int], None]

_cells = msgspec.msgpack.Decoder(list[Cell])
_names = msgspec.msgpack.Decoder(list[str])


class Summed(NamedTuple):
    """Cells of every file, in order. `copies` are calls that a file before had already."""

    cells: list[Cell]
    copies: int
    faults: list[str]


def bring_up_to_date(
    index: TraceIndex, files: Mapping[str, State], prices: bytes, *, begin: Advance, advance: Advance
) -> None:
    """Read what the index does not know, or knows in another state, and price by the facts of today."""
    known = index.entries
    if index.prices != prices:
        facts = default()
        known = {path: repriced(entry, facts) for path, entry in known.items()}
        index.prices = prices
    changed = {
        path: state for path, state in files.items() if path not in known or known[path].state != state
    }
    grown = {path: known[path] for path in changed if path in known}
    index.entries = (
        {**known, **read_entries(changed, grown, begin=begin, advance=advance)} if changed else dict(known)
    )
    index.forget_deleted(files)


def summed(listed: Listed, entries: Mapping[str, Entry]) -> Summed:
    """The sums of everything listed, each call where the first file in order has it; databases come last."""
    found = Summed([], 0, list(listed.faults))
    cells, faults, copies = found.cells, found.faults, 0
    seen: set[str] = set()
    facts = default()
    for path in listed.files:
        entry = entries[path]
        names = _names.decode(entry.ids)
        again = seen.intersection(names)
        cells += cells_without(again, entry, facts) if again else _cells.decode(entry.cells)
        faults += entry.faults
        seen.update(names)
        copies += len(again)
    for path in listed.databases:
        copies += _add_database(path, seen, found, facts)
    return found._replace(copies=copies)


def _add_database(path: str, seen: set[str], found: Summed, facts: Facts) -> int:
    # Stores take longer to import than a gigabyte takes to add up, and most paths have none.
    from scrimp.traces.usage_databases import read_database  # noqa: PLC0415  # as said

    read = read_database(path)
    again = seen.intersection(read.calls)
    found.cells.extend(
        priced(list(read.places), [call for name, call in read.calls.items() if name not in again], facts)
    )
    seen.update(read.calls)
    found.faults.extend(read.faults)
    return len(again)
