"""Files of recordings as entries of the index: read, added up and packed."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from scrimp.core.spend import Cell
from scrimp.core.spend_pricing import priced
from scrimp.facts.models import Facts
from scrimp.stores.trace_index import Entry
from scrimp.traces.usage_file import UsageFile, UsageReader

__all__ = ["cells_without", "read_entry", "repriced"]

_files = msgspec.msgpack.Decoder(UsageFile)


def read_entry(reader: UsageReader, path: str, before: Entry | None, facts: Facts) -> Entry:
    """Read a file, on from where an entry of it ends if it only grew since."""
    found = reader.read(path, _files.decode(before.read) if before is not None else None)
    pack = msgspec.msgpack.encode
    return Entry(
        found.state,
        pack(found),
        pack([call.id for call in found.calls]),
        pack(priced(found.places, found.calls, facts)),
        tuple(_faults(found)),
    )


def repriced(entry: Entry, facts: Facts) -> Entry:
    """The entry by other facts."""
    return msgspec.structs.replace(entry, cells=msgspec.msgpack.encode(cells_without((), entry, facts)))


def cells_without(names: Collection[str], entry: Entry, facts: Facts) -> list[Cell]:
    """The sums of an entry without some of its calls, which another file holds as well."""
    found = _files.decode(entry.read)
    return priced(found.places, (call for call in found.calls if call.id not in names), facts)


def _faults(found: UsageFile) -> list[str]:
    """One line a file: its first fault, and how many more there are."""
    said = [fault for fault in (found.fault, found.torn) if fault is not None]
    more = found.more_faults + len(said) - 1
    return [f"{found.path}: {said[0]}" + (f" (and {more:,} more lines)" if more else "")] if said else []
