"""What `scrimp explain --json` prints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from scrimp.cli.diagnose import miss_json
from scrimp.cli.explain_model import BlockRow, Explained, PriceList
from scrimp.cli.explain_place import place_name
from scrimp.core import money
from scrimp.core.cache import Outcome
from scrimp.core.plan import Plan, Range
from scrimp.core.replay import input_cost
from scrimp.facts.prices import Rates
from scrimp.wire.response import Usage

__all__ = ["explained_json"]


def explained_json(told: Explained, counted: int | None) -> dict[str, Any]:
    """The documented JSON; null stands where there is nothing to say."""
    plan, record = told.plan, told.record
    return {
        "what": told.what,
        "where": place_name(told.where),
        "run": told.run or None,
        "seq": told.seq,
        "at": None if told.at is None else datetime.fromtimestamp(told.at, UTC).isoformat(),
        "model": _model(told.prices),
        "basis": "estimated" if told.usage is None else "measured",
        "tokens": None if told.tokens is None else _range(told.tokens, int),
        "counted_tokens": counted,
        "blocks": [_block(row) for row in told.blocks],
        "expected": None if told.expected is None else _outcome(told.expected, told.prices.rates),
        "billed": _billed(told),
        **_plan(plan),
        "miss": None if told.finding is None else miss_json(told.finding),
        "record": None
        if record is None
        else {
            "id": record.id,
            "call_id": record.call_id,
            "attempt": record.attempt,
            "outcome": record.outcome,
            "status": record.status,
            "mode": record.mode,
            "usd": money.dollars(record.cost),
            "measured": record.measured,
            "own_usd": None if record.own_cost is None else money.dollars(record.own_cost),
            "saved_usd": None if record.saved is None else money.dollars(record.saved),
            "predicted_read": record.predicted_read,
            "predicted_write": record.predicted_write,
            "miss": record.miss,
            "lost_usd": None if record.lost is None else money.dollars(record.lost),
            "fault": record.fault,
            "notes": list(record.notes),
            "tags": msgspec.to_builtins(record.tags),
        },
        "missing": list(told.missing),
    }


def _plan(plan: Plan | None) -> dict[str, Any]:
    if plan is None:
        return {"input_usd": None, "own_input_usd": None, "edits": [], "decisions": [], "outcome": None}
    outcome = plan.chosen.outcome
    return {
        "input_usd": _range(plan.input_cost, money.dollars),
        "own_input_usd": money.dollars(plan.own.input_cost),
        "edits": [{"path": list(edit.path), "ttl": edit.ttl} for edit in plan.edits],
        "decisions": [
            {
                "action": decision.action,
                "mode": decision.mode,
                "what": decision.what,
                "why": decision.why,
                "saves_usd": money.dollars(decision.saves),
            }
            for decision in plan.decisions
        ],
        "outcome": _split(outcome),
    }


def _billed(told: Explained) -> dict[str, Any] | None:
    usage, bill = told.usage, told.bill
    if usage is None or bill is None:
        return None
    return {
        **_usage(usage),
        "output": usage.output_tokens,
        "usd": money.dollars(bill.total),
        "input_usd": money.dollars(bill.total - bill.amount("output") - bill.amount("web_search")),
        "notes": list(bill.notes),
    }


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "plain": usage.input_tokens,
        "write_5m": usage.write_5m,
        "write_1h": usage.write_1h,
        "read": usage.cache_read_input_tokens,
    }


def _outcome(outcome: Outcome, rates: Rates) -> dict[str, Any]:
    return {**_split(outcome), "input_usd": money.dollars(input_cost(outcome, rates))}


def _split(outcome: Outcome) -> dict[str, int]:
    return {
        "plain": outcome.plain,
        "write_5m": outcome.write_5m,
        "write_1h": outcome.write_1h,
        "read": outcome.read,
    }


def _model(prices: PriceList) -> dict[str, Any]:
    rates = msgspec.structs.asdict(prices.rates)
    return {
        "id": prices.model,
        "usd_per_mtok": {name: money.usd_per_million(rate) for name, rate in rates.items()},
        "day": prices.day,
        "since": prices.since,
        "as_of": prices.as_of,
        "source": prices.source,
        "estimated": prices.reason is not None,
        "reason": prices.reason,
    }


def _block(row: BlockRow) -> dict[str, Any]:
    return {
        "path": list(row.path),
        "kind": row.kind,
        "role": row.role or None,
        "tool": row.name or None,
        "tokens": row.tokens,
        "upto": row.upto,
        "digest": row.digest,
        "marker": row.marker,
        "planned": row.planned,
        "paid": row.paid,
    }


def _range(found: Range, shown: Callable[[int], Any]) -> dict[str, Any]:
    return {"low": shown(found.low), "mid": shown(found.mid), "high": shown(found.high)}
