"""Usage times rates: what one response cost, exactly, one line per category.

How the parts of a usage add up (Messages API reference, and recorded traffic):

* The top-level counts are the sum of the `message` iterations and are billed at the response's model.
* `compaction` and `advisor_message` iterations are not in the top-level counts: each is billed on top, at its
  own model. A compaction on demand has top-level counts of zero and costs what its iteration says.
* With server-side fallbacks every attempt is an iteration with its own model, the last of type
  `fallback_message`. Each attempt is billed as listed, and the top-level counts only where they exceed the
  sum of the attempts, so that nothing is counted twice. A refusal before any output may have been free; such
  a bill is an upper bound and says so.
* A tier is decided by the whole prompt of the request: plain, written and read tokens together.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from scrimp.core.money import dollars, usd, usd_per_million
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, TokenCounts

if TYPE_CHECKING:
    from scrimp.facts.model import Model
    from scrimp.facts.models import Facts
    from scrimp.facts.prices import Rates
    from scrimp.wire.response import Iteration, ServerToolUse, Usage

__all__ = ["CATEGORIES", "Bill", "Category", "Line", "bill", "day_of"]

Category = Literal["input", "write_5m", "write_1h", "read", "output", "web_search"]

CATEGORIES: tuple[Category, ...] = ("input", "write_5m", "write_1h", "read", "output", "web_search")
"""Every category of a bill, in the order lines are listed. Thinking is part of `output`."""

_DAY_SECONDS = 86400
_EPOCH = date(1970, 1, 1).toordinal()
_latest = [(0, date.fromordinal(_EPOCH))]
"""When the day began that was asked for last, and that day: nearly all calls are of the same."""

_NO_SPLIT = "the usage does not say which writes were for 5m and which for 1h: counted as 5m"
_FALLBACK = "a fallback: every attempt is billed as listed, though a refusal before any output may be free"
_SUMMED = "the prompts of several samplings are summed: their sum decided the price tier"
_CREDIT = "a fallback credit was redeemed, which bills writes as reads: counted as writes"
_PRIORITY = "priority tier: counted at standard rates"
_NO_FAST = "fast mode has no known price here: counted at standard rates"
_CONTAINERS = "code execution is billed by container time, which the usage does not say: not counted"


class Line(msgspec.Struct, frozen=True, gc=False):
    """One category of one part of a response.

    `quantity` is in tokens (searches for `web_search`), `rate` in picodollars per unit, `amount` in
    picodollars. `part` is `response`, or the type of the iteration that was billed apart.
    """

    category: Category
    quantity: int
    rate: int
    amount: int
    model: str
    part: str = "response"


class Bill(msgspec.Struct, frozen=True, gc=False):
    """What one response cost, in picodollars; lines of nothing are left out.

    `measured` says the counts are the provider's own, `estimated` that some of the money is not certain all
    the same; `notes` say why.
    """

    lines: tuple[Line, ...]
    total: int
    measured: bool = True
    notes: tuple[str, ...] = ()

    @property
    def estimated(self) -> bool:
        """Whether some of the money is not certain."""
        return not self.measured or bool(self.notes)

    @property
    def usd(self) -> Decimal:
        """The whole bill in US dollars, exactly."""
        return dollars(self.total)

    def amount(self, category: Category) -> int:
        """Picodollars spent on one category, every part together."""
        return sum(line.amount for line in self.lines if line.category == category)

    def quantity(self, category: Category) -> int:
        """Tokens (or searches) billed in one category, every part together."""
        return sum(line.quantity for line in self.lines if line.category == category)

    def as_estimate(self, note: str) -> Bill:
        """This bill for counts that were predicted, not reported; `note` says by what."""
        return msgspec.structs.replace(self, measured=False, notes=(*self.notes, note))

    def to_json(self) -> dict[str, object]:
        """Plain values for JSON: money as exact decimal strings in US dollars."""
        return {
            "usd": usd(self.total),
            "measured": self.measured,
            "estimated": self.estimated,
            "notes": list(self.notes),
            "categories": {category: usd(self.amount(category)) for category in CATEGORIES},
            "lines": [_line_json(line) for line in self.lines],
        }


def bill(
    usage: Usage,
    model: Model,
    *,
    at: float | date | None,
    batch: bool | None = None,
    fast: bool | None = None,
    geo: str | None = None,
    facts: Facts | None = None,
) -> Bill:
    """What a response cost by the prices of the day it was billed on (`at`: epoch seconds, a day, or newest).

    `batch`, `fast` and `geo` are what the usage says (`service_tier`, `speed`, `inference_geo`) unless given.
    `facts` resolves the models of iterations and holds the fees; the bundled facts unless given.
    """
    account = _Account(
        facts or default(),
        None if at is None else day_of(at),
        usage.service_tier == "batch" if batch is None else batch,
        usage.speed == "fast" if fast is None else fast,
        usage.inference_geo if geo is None else geo,
    )
    parts = usage.iterations
    if parts is None or (len(parts) == 1 and parts[0].type == "message" and parts[0].model is None):
        account.add(usage, model)
    else:
        _add_parts(account, usage, parts, model)
    tools = usage.server_tool_use
    if tools is not None:
        _add_tools(account, tools, model)
    _add_doubts(account, usage, model)
    total = 0
    for line in account.lines:
        total += line.amount
    notes = tuple(dict.fromkeys(account.notes)) if account.notes else ()
    return Bill(tuple(account.lines), total, True, notes)  # noqa: FBT003 - by position: see CONTRIBUTING.md


def day_of(at: float | date) -> date:
    """The day, in UTC, of a time in epoch seconds; a date is that day."""
    if type(at) is not float and isinstance(at, date):
        return at.astimezone(UTC).date() if isinstance(at, datetime) else at
    begin, day = _latest[0]
    if not 0.0 <= at - begin < _DAY_SECONDS:
        number = int(at // _DAY_SECONDS)
        begin, day = _latest[0] = number * _DAY_SECONDS, date.fromordinal(_EPOCH + number)
    return day


class _Account(msgspec.Struct, gc=False):
    """The lines of one bill while it is added up, under one request's terms."""

    facts: Facts
    day: date | None
    batch: bool
    fast: bool
    geo: str | None
    lines: list[Line] = []
    notes: list[str] = []

    def add(self, counts: TokenCounts, model: Model, part: str = "response") -> None:
        """Bill one set of token counts at one model's rates."""
        plain, written = counts.input_tokens, counts.cache_creation_input_tokens
        read, output = counts.cache_read_input_tokens, counts.output_tokens
        rates = model.rates(
            self.day, prompt_tokens=plain + written + read, batch=self.batch, fast=self.fast, geo=self.geo
        )
        if plain:
            self.lines.append(Line("input", plain, rates.input, plain * rates.input, model.id, part))
        if written:
            self._add_writes(counts, rates, model, part)
        if read:
            self.lines.append(Line("read", read, rates.read, read * rates.read, model.id, part))
        if output:
            self.lines.append(Line("output", output, rates.output, output * rates.output, model.id, part))

    def _add_writes(self, counts: TokenCounts, rates: Rates, model: Model, part: str) -> None:
        if not counts.split_known and self.facts.rules.ttl_1h(self.day):
            self.notes.append(_NO_SPLIT)
        short, long = counts.write_5m, counts.write_1h
        if short:
            self.lines.append(Line("write_5m", short, rates.write_5m, short * rates.write_5m, model.id, part))
        if long:
            self.lines.append(Line("write_1h", long, rates.write_1h, long * rates.write_1h, model.id, part))


def _add_parts(account: _Account, usage: Usage, parts: tuple[Iteration, ...], model: Model) -> None:
    """Bill a usage with iterations; the module's docstring says which are in the top-level counts."""
    known = account.facts
    attempts = [part for part in parts if part.in_total]
    models = [known.resolve(part.model) if part.model else model for part in attempts]
    if any(attempt.id != model.id for attempt in models) or any(
        part.type == "fallback_message" for part in attempts
    ):
        for part, attempt in zip(attempts, models, strict=True):
            account.add(part, attempt, part.type)
        account.add(_unlisted(usage, attempts), model)
        account.notes.append(_FALLBACK)
    else:
        account.add(usage, model)
        above = model.tier_above(account.day)
        if above is not None and usage.total_input > above and _all_within(attempts, above):
            account.notes.append(_SUMMED)
    for part in parts:
        if not part.in_total:
            account.add(part, known.resolve(part.model) if part.model else model, part.type)


def _unlisted(usage: Usage, attempts: list[Iteration]) -> TokenCounts:
    """The top-level counts that no listed attempt accounts for."""
    write_1h = max(0, usage.write_1h - sum(part.write_1h for part in attempts))
    write_5m = max(0, usage.write_5m - sum(part.write_5m for part in attempts))
    return TokenCounts(
        input_tokens=max(0, usage.input_tokens - sum(part.input_tokens for part in attempts)),
        output_tokens=max(0, usage.output_tokens - sum(part.output_tokens for part in attempts)),
        cache_creation_input_tokens=write_5m + write_1h,
        cache_read_input_tokens=max(
            0, usage.cache_read_input_tokens - sum(part.cache_read_input_tokens for part in attempts)
        ),
        cache_creation=CacheCreation(write_5m, write_1h),
    )


def _all_within(attempts: list[Iteration], above: int) -> bool:
    return len(attempts) > 1 and all(part.total_input <= above for part in attempts)


def _add_tools(account: _Account, tools: ServerToolUse, model: Model) -> None:
    if tools.web_search_requests:
        searches, fee = tools.web_search_requests, account.facts.web_search_fee
        account.lines.append(Line("web_search", searches, fee, searches * fee, model.id, "response"))
    if tools.code_execution_requests:
        account.notes.append(_CONTAINERS)


def _add_doubts(account: _Account, usage: Usage, model: Model) -> None:
    if model.estimated and model.reason is not None:
        account.notes.append(f"{model.id}: {model.reason}")
    if account.fast and not model.sells_fast(account.day):
        account.notes.append(_NO_FAST)
    if usage.fallback_credit == "redeemed" and usage.cache_creation_input_tokens:
        account.notes.append(_CREDIT)
    if usage.service_tier == "priority":
        account.notes.append(_PRIORITY)


def _line_json(line: Line) -> dict[str, object]:
    per_token = line.category != "web_search"
    return {
        "category": line.category,
        "part": line.part,
        "model": line.model,
        "quantity": line.quantity,
        "usd_per_mtok" if per_token else "usd_each": usd_per_million(line.rate)
        if per_token
        else usd(line.rate),
        "usd": usd(line.amount),
    }
