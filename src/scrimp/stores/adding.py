"""Adding records up into totals: the definition that every ledger agrees with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from operator import add
from typing import Literal, NamedTuple, cast, get_args

from scrimp.core.record import Record
from scrimp.core.totals import Group, Key, StaticSize, Total, rounded_size
from scrimp.errors import InputError
from scrimp.stores.ledger import Query

__all__ = [
    "HOUR",
    "Label",
    "check_groups",
    "day_of",
    "hour_of",
    "key_of",
    "label_of",
    "matches",
    "ordered",
    "size_of",
    "sizes_of",
    "time_of",
    "total_of",
    "touches",
]

HOUR = 3600
_HOURS_A_DAY = 24
_GROUPS = get_args(Group)
_EPOCH = date(1970, 1, 1).toordinal()
_NOTHING = (0,) * (len(Total.__struct_fields__) - 1)


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
    team: str | None
    key: str | None
    inferred: bool
    miss: str | None


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
        tags.team,
        tags.key,
        tags.inferred,
        record.miss,
    )


def check_groups(group_by: Sequence[Group]) -> None:
    """Raises InputError for a group there is not: the names come from people, and become columns."""
    for group in group_by:
        if group not in _GROUPS:
            raise InputError(f"totals: no group {group!r}; there are {', '.join(_GROUPS)}")


def day_of(hour: int) -> date:
    """The day (UTC) that an hour since the epoch is in."""
    return date.fromordinal(_EPOCH + hour // _HOURS_A_DAY)


def time_of(group: Literal["hour", "day"], hour: int) -> Key:
    """The value of a group of time: the second an hour begins, or the day it is in."""
    return hour * HOUR if group == "hour" else day_of(hour)


def key_of(group: Group, record: Record) -> Key:
    """The value of one group for a record."""
    if group in ("hour", "day"):
        return time_of(group, hour_of(record.started_at))
    if group == "run_id":
        return record.tags.run_ids[0] if record.tags.run_ids else None
    return cast(Key, getattr(label_of(record), group))


def matches(record: Record, query: Query, at: float | None = None) -> bool:
    """Whether a record is one of those asked for; `at` is the time it counts at, if not its own."""
    started_at = record.started_at if at is None else at
    tags = record.tags
    wanted = (
        (query.user, tags.user),
        (query.team, tags.team),
        (query.key, tags.key),
        (query.task_type, tags.task_type),
        (query.agent, tags.agent),
        (query.model, record.model),
    )
    return (
        (query.since is None or started_at >= query.since)
        and (query.until is None or started_at < query.until)
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
        record.lost or 0,
    )


def ordered(parts: Iterable[tuple[tuple[Key, ...], Sequence[int]]], *, grouped: bool) -> list[Total]:
    """Totals by key of parts that may repeat a key; ungrouped, nothing adds up to the empty total."""
    sums: dict[tuple[Key, ...], Sequence[int]] = {} if grouped else {(): _NOTHING}
    for key, numbers in parts:
        before = sums.get(key)
        sums[key] = numbers if before is None else tuple(map(add, before, numbers))
    keys = sorted(sums, key=lambda key: [(value is not None, value) for value in key])
    return [Total(key, *sums[key]) for key in keys]


def sizes_of(parts: Iterable[tuple[int, str | None, str, int, int]]) -> list[StaticSize]:
    """Sizes by day since the epoch, label, model and tokens, of parts that may repeat; None comes first."""
    calls: Counter[tuple[int, str | None, str, int]] = Counter()
    for day, label, model, tokens, count in parts:
        calls[day, label, model, tokens] += count
    return [
        StaticSize(day_of(day * _HOURS_A_DAY), label, model, tokens, calls[day, label, model, tokens])
        for day, label, model, tokens in sorted(calls, key=lambda key: (key[0], key[1] or "", key[2:]))
    ]


def size_of(record: Record) -> tuple[int, str | None, str, int, int] | None:
    """What one record adds to the sizes; None where nobody looked at its tools and system."""
    if record.static_tokens is None:
        return None
    day = hour_of(record.started_at) // _HOURS_A_DAY
    return day, record.tags.label, record.model, rounded_size(record.static_tokens), 1


def touches(query: Query, day: int) -> bool:
    """Whether some of a day since the epoch is asked for."""
    length = _HOURS_A_DAY * HOUR
    return (query.since is None or (day + 1) * length > query.since) and (
        query.until is None or day * length < query.until
    )
