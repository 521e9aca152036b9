"""What `scrimp explain` says of one request or call, as plain values; text and JSON are made from these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from scrimp.core.bill import Bill
from scrimp.core.cache import Outcome
from scrimp.core.plan import Plan, Range
from scrimp.core.prompt import Marker, Prompt
from scrimp.core.record import Record
from scrimp.facts.model import Model
from scrimp.facts.prices import Rates, row_at
from scrimp.traces.diagnosed import Finding
from scrimp.wire.response import Usage

__all__ = ["BlockRow", "Explained", "PriceList", "block_rows", "price_list"]

Paid = Literal["read", "write", "plain"]
_DIGEST_SHOWN = 8
"""Hex digits: enough to tell blocks of a conversation apart, and nothing of what they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    """One block in render order. `tokens` are its own, `upto` those of the prompt that ends with it.

    `name` is the tool's, `marker` the TTL of the caller's own marker, `planned` that of scrimp's, `paid` how
    the block's last token was paid for, as billed or (without a bill) as expected.
    """

    path: tuple[str | int, ...]
    kind: str
    role: str
    name: str
    tokens: int
    upto: int
    digest: str
    marker: str | None
    planned: str | None
    paid: Paid


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What a token costs, in picodollars, and where that is from; `since` is the first day, where known."""

    model: str
    asked: str
    rates: Rates
    day: date | None
    since: date | None
    as_of: date
    source: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One request that was not sent, one recorded call, or one record of the ledger.

    `expected` is what the model foresaw for the request as it went out, `plan` what scrimp would do with it;
    `usage` and `bill` are measured. `body` is there where the whole request was kept. `missing` says what
    cannot be said, and why.
    """

    what: Literal["request", "call", "record"]
    where: str
    prices: PriceList
    run: str = ""
    seq: int | None = None
    at: float | None = None
    tokens: Range | None = None
    blocks: tuple[BlockRow, ...] = ()
    expected: Outcome | None = None
    plan: Plan | None = None
    usage: Usage | None = None
    bill: Bill | None = None
    finding: Finding | None = None
    record: Record | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    missing: tuple[str, ...] = ()


def price_list(model: Model, asked: str, day: date | None, prompt_tokens: int) -> PriceList:
    """The prices of `model` for a prompt of that length, on a day or (None) the newest."""
    row = row_at(model.prices, day)
    return PriceList(
        model=model.id,
        asked=asked,
        rates=model.rates(day, prompt_tokens=prompt_tokens),
        day=day,
        since=None if row is None or row.since == date.min else row.since,
        as_of=model.as_of,
        source=model.source,
        reason=model.reason,
    )


def block_rows(
    prompt: Prompt, ends: Sequence[int], planned: Sequence[Marker], *, read: int, written: int
) -> tuple[BlockRow, ...]:
    """The blocks of a prompt; `ends[i]` tokens up to block i, of them `read` and then `written` cached.

    Where the prompt was cut into read, written and plain is the end of a block: the one nearest to the bill.
    """
    last_read, last_written = _nearest(ends, read), _nearest(ends, read + written)
    own = {marker.position: _marker(marker) for marker in prompt.markers}
    others = {marker.position: _marker(marker) for marker in planned}
    names = _Names()
    rows = []
    before = 0
    for position, block in enumerate(prompt.blocks):
        upto = ends[position]
        rows.append(
            BlockRow(
                path=block.path,
                kind=block.kind,
                role=block.role,
                name=names.of(block.value),
                tokens=upto - before,
                upto=upto,
                digest=prompt.digests[position].hex()[:_DIGEST_SHOWN],
                marker=own.get(position),
                planned=others.get(position),
                paid="read" if position <= last_read else "write" if position <= last_written else "plain",
            )
        )
        before = upto
    return tuple(rows)


def _nearest(ends: Sequence[int], tokens: int) -> int:
    """The position that ends nearest to so many tokens, -1 for none of them."""
    if not tokens or not ends:
        return -1
    return min(range(len(ends)), key=lambda position: abs(ends[position] - tokens))


class _Names:
    """Names of tools, a result's by the call that it answers."""

    def __init__(self) -> None:
        self._called: dict[str, str] = {}

    def of(self, value: Any) -> str:
        """The tool that a block defines, calls or answers for; empty for all others."""
        if not isinstance(value, Mapping):
            return ""
        name, use = value.get("name"), value.get("id")
        if isinstance(name, str):
            if isinstance(use, str):
                self._called[use] = name
            return name
        return self._called.get(str(value.get("tool_use_id")), "")


def _marker(marker: Marker) -> str:
    return f"{marker.ttl} auto" if marker.automatic else marker.ttl
