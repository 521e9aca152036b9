"""Which records are of a cache miss that counts as one."""

from __future__ import annotations

from scrimp.core.causes import Cause
from scrimp.core.record import Record

__all__ = ["miss_of"]

_NATURAL = frozenset({Cause.FIRST.value, Cause.BELOW_MINIMUM.value})


def miss_of(record: Record) -> str | None:
    """The cause; None also where nothing could have been read, and nothing was lost by that."""
    return None if record.miss in _NATURAL and not record.lost else record.miss
