"""Adding records up into totals: the definition that every ledger agrees with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from operator import add
from typing import Literal, NamedTuple, cast, get_args

from scrimp.core.record import Record
from scrimp.errors import InputError
from scrimp.stores.ledger import Group, Key, Query, Total

__all__ = [
    "HOUR",
    "Label",
    "check_groups",
    "hour_of",
    "key_of",
    "label_of",
    "matches",
    "ordered",
    "time_of",
    "total_of",
]

HOUR = 3600
_HOURS_A_DAY = 24
_GROUPS = get_args(Group)
_EPOCH = date(1970, 1, 1).toordinal()


def hour_of(at: float) -> int:
    """Hours since the epoch, whole."""
    return int(at // HOUR)


class Label(NamedTuple):
    """What a record says beside its numbers and times: the same for every step of an agent's run, mostly."""

    provider: str
    model: str
    mode: str
    outcome: str
    run: tuple[str, ...]
    run_ids: tuple[str, ...]
    user: str | None
    task_type: str | None
    agent: str | None


def label_of(record: Record) -> Label:
    """The label of a record."""
    tags = record.tags
    return Label(
        record.provider,
        record.model,
        record.mode,
        record.outcome,
        tags.run,
        tags.run_ids,
        tags.user,
        tags.task_type,
        tags.agent,
    )


def check_groups(group_by: Sequence[Group]) -> None:
    """Raises InputError for a group there is not: the names come from people, and become columns."""
    for group in group_by:
        if group not in _GROUPS:
            raise InputError(f"totals: no group {group!r}; there are {', '.join(_GROUPS)}")


def time_of(group: Literal["hour", "day"], hour: int) -> Key:
    """The value of a group of time: the second an hour begins, or the day it is in."""
    return hour * HOUR if group == "hour" else date.fromordinal(_EPOCH + hour // _HOURS_A_DAY)


def key_of(group: Group, record: Record) -> Key:
    """The value of one group for a record."""
    if group in ("hour", "day"):
        return time_of(group, hour_of(record.started_at))
    return cast(Key, getattr(label_of(record), group))


def matches(record: Record, query: Query) -> bool:
    """Whether a record is one of those asked for."""
    tags = record.tags
    wanted = (
        (query.user, tags.user),
        (query.task_type, tags.task_type),
        (query.agent, tags.agent),
        (query.model, record.model),
    )
    return (
        (query.since is None or record.started_at >= query.since)
        and (query.until is None or record.started_at < query.until)
        and (query.run_id is None or query.run_id in tags.run_ids)
        and tags.run[: len(query.run)] == query.run
        and all(asked is None or asked == found for asked, found in wanted)
    )


def total_of(record: Record) -> tuple[int, ...]:
    """The numbers of one record, in the order of `Total` after its key."""
    usage = record.usage
    own = record.own_cost
    return (
        1,
        usage.input_tokens,
        usage.write_5m,
        usage.write_1h,
        usage.cache_read_input_tokens,
        usage.output_tokens,
        record.cost,
        0 if record.measured else record.cost,
        0 if own is None else own,
        0 if own is None else record.cost,
    )


def ordered(parts: Iterable[tuple[tuple[Key, ...], Sequence[int]]], *, grouped: bool) -> list[Total]:
    """Totals by key of parts that may repeat a key; ungrouped, nothing adds up to the empty total."""
    sums: dict[tuple[Key, ...], Sequence[int]] = {} if grouped else {(): (0,) * 10}
    for key, numbers in parts:
        before = sums.get(key)
        sums[key] = numbers if before is None else tuple(map(add, before, numbers))
    keys = sorted(sums, key=lambda key: [(value is not None, value) for value in key])
    return [Total(key, *sums[key]) for key in keys]
