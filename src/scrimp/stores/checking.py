"""What any ledger can keep: text that is Unicode, times of the calendar, numbers within their range.

Bounds are checked before a record joins a batch, so that a record that cannot be kept harms no other.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from scrimp.core.record import Record, Tags
from scrimp.errors import StoreError
from scrimp.wire.response import CacheCreation

__all__ = ["in_unicode", "keepable"]

S = TypeVar("S", bound=msgspec.Struct)

_FIRST_TIME, _LAST_TIME = -62135596800.0, 253402300799.0
"""The years 1 to 9999, which is what dates reach."""

_MOST = 2**63 - 1
_MOST_TOKENS = 2**40
"""Far beyond any response, and millions of them still add up within 64 bits."""

_BITS_OF_TOKENS, _BITS_OF_MONEY = 40, 63
_NO_SPLIT = CacheCreation()
_found_plain = [Tags()]


def keepable(record: Record) -> Record:
    """The record as it will be kept: itself, but for lone surrogates, which become `?`.

    Raises StoreError where a number is out of range.
    """
    if _is_plain(record):
        return record
    if _in_range(record):
        try:
            return in_unicode(record)
        except OverflowError:
            pass  # a count of an iteration
    raise StoreError(f"record {record.id!r} cannot be kept: a time, count or amount is out of range")


def _in_range(record: Record) -> bool:
    """Whether times, tokens and amounts are."""
    usage, first_event_at, ended_at = record.usage, record.first_event_at, record.ended_at
    return (
        _FIRST_TIME <= record.started_at <= _LAST_TIME
        and (first_event_at is None or _FIRST_TIME <= first_event_at <= _LAST_TIME)
        and (ended_at is None or _FIRST_TIME <= ended_at <= _LAST_TIME)
        and 0 <= usage.input_tokens <= _MOST_TOKENS
        and 0 <= usage.output_tokens <= _MOST_TOKENS
        and 0 <= usage.cache_creation_input_tokens <= _MOST_TOKENS
        and 0 <= usage.cache_read_input_tokens <= _MOST_TOKENS
        and 0 <= usage.write_1h <= _MOST_TOKENS
        and -_MOST <= record.cost <= _MOST
        and -_MOST <= (record.own_cost or 0) <= _MOST
        and -_MOST <= record.attempt <= _MOST
        and -_MOST <= (record.status or 0) <= _MOST
        and -_MOST <= (record.predicted_read or 0) <= _MOST
        and -_MOST <= (record.predicted_write or 0) <= _MOST
        and -_MOST <= (record.lost or 0) <= _MOST
    )


def _is_plain(record: Record) -> bool:
    """Whether numbers are in range beyond doubt, all texts ASCII, and the usage says no more than most do.

    Asked of every record, and true of most: nothing is made for it but new tags encoded, which takes hardly
    longer than to look them up. Counts are looked at together, as none has a bit that is set beyond those it
    may have. Of all others the answer is in `_in_range`.
    """
    usage, first_event_at, ended_at = record.usage, record.first_event_at, record.ended_at
    split = usage.cache_creation or _NO_SPLIT
    counts = usage.input_tokens | usage.output_tokens | usage.cache_creation_input_tokens
    counts |= usage.cache_read_input_tokens | split.ephemeral_5m_input_tokens
    counts |= split.ephemeral_1h_input_tokens | record.attempt | (record.status or 0)
    counts |= (record.predicted_read or 0) | (record.predicted_write or 0)
    counts |= (record.static_tokens or 0) | (record.window or 0)
    money = record.cost | (record.own_cost or 0) | (record.lost or 0)
    return (
        not counts >> _BITS_OF_TOKENS
        and not money >> _BITS_OF_MONEY
        and first_event_at is not None
        and ended_at is not None
        and 0.0 <= record.started_at <= first_event_at <= ended_at <= _LAST_TIME
        and usage.iterations is None
        and usage.server_tool_use is None
        and usage.output_tokens_details is None
        and (usage.service_tier is None or usage.service_tier.isascii())
        and (usage.speed is None or usage.speed.isascii())
        and (usage.inference_geo is None or usage.inference_geo.isascii())
        and (usage.fallback_credit is None or usage.fallback_credit.isascii())
        and record.id.isascii()
        and record.call_id.isascii()
        and record.provider.isascii()
        and record.model.isascii()
        and record.mode.isascii()
        and record.outcome.isascii()
        and (not record.notes or all(map(str.isascii, record.notes)))
        and (record.message_id is None or record.message_id.isascii())
        and (record.request_id is None or record.request_id.isascii())
        and (record.fault is None or record.fault.isascii())
        and (record.miss is None or record.miss.isascii())
        and (record.tags is _found_plain[0] or _are_plain(record.tags))
    )


def _are_plain(tags: Tags) -> bool:
    """Whether tags need no mending. Those of the last call are remembered: the next has mostly the same."""
    if in_unicode(tags) is not tags:
        return False
    _found_plain[0] = tags
    return True


def in_unicode(value: S) -> S:
    """The value itself; with lone surrogates, which are no characters, an equal one with `?` for each."""
    try:
        msgspec.msgpack.encode(value)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value, builtin_types=(bytes,))
        return msgspec.convert(_replaced(plain), type(value), builtin_types=(bytes,))
    return value


def _replaced(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_replaced(key): _replaced(item) for key, item in value.items()}
        case list() | tuple():
            return [_replaced(item) for item in value]
        case _:
            return value
