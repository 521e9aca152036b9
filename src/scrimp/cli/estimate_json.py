"""The JSON of `scrimp estimate`: see docs/json.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from scrimp.core import money
from scrimp.core.estimate.amounts import Amounts
from scrimp.core.estimate.classics.example import Classic, Row
from scrimp.core.estimate.estimate import Estimate, Part
from scrimp.core.estimate.offered import sources_of
from scrimp.facts.models import Facts

__all__ = ["classics_json", "estimate_json"]

_BASIS = "estimated"


def estimate_json(found: Estimate, facts: Facts) -> dict[str, Any]:
    """All of it; `run` is the mean of a day's runs."""
    return {
        "basis": _BASIS,
        "at": found.at,
        "prices": sources_of(found.work, facts),
        "workload": msgspec.to_builtins(found.work),
        "run": _amounts(found.run),
        "day": _amounts(found.day),
        "month": _amounts(found.month),
        "models": [_part(part) for part in found.parts],
        "others": {name: money.dollars(month.cost) for name, month in found.others.items()},
        "warnings": list(found.warnings),
        "remarks": list(found.remarks),
    }


def classics_json(found: Sequence[Classic], at: date) -> dict[str, Any]:
    """Every worked example with its rows; figures are decimal strings, and `said` is null where none was."""
    return {
        "basis": _BASIS,
        "at": at,
        "classics": [
            {
                "name": classic.name,
                "title": classic.title,
                "inputs": classic.inputs,
                "assumed": classic.assumed or None,
                "rows": [_row(row) for row in classic.rows],
            }
            for classic in found
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "what": row.what,
        "unit": row.unit,
        "said": row.said or None,
        "holds": row.holds,
        "follows": row.follows.exact,
        "true": row.true.exact,
        "why": row.why,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "model": part.model,
        "share": float(part.share),
        "first_run": _amounts(part.first),
        "later_run": _amounts(part.later),
        "batched_run": _amounts(part.batched) if part.batched else None,
        "day": _amounts(part.day),
        "month": _amounts(part.month),
        "steps": [_amounts(call.amounts) for call in part.calls],
    }


def _amounts(amounts: Amounts) -> dict[str, Any]:
    return {
        "usd": money.dollars(amounts.cost),
        "calls": round(amounts.calls),
        "tokens": {
            "plain": round(amounts.plain),
            "write_5m": round(amounts.write_5m),
            "write_1h": round(amounts.write_1h),
            "read": round(amounts.read),
            "output": round(amounts.output),
        },
    }
