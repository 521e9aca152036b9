"""What `scrimp replay --json` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

from scrimp.core import money
from scrimp.core.summary import (
    Foreseen,
    Money,
    RowBill,
    RunBill,
    SourceBill,
    add_up,
    compare,
    foreseen_in_all,
    rows_in_all,
)
from scrimp.core.whatif.changed import Removed

__all__ = ["replay_json"]


def replay_json(sources: Sequence[SourceBill], names: Sequence[str], skipped: Counter[str]) -> dict[str, Any]:
    """The documented JSON: `floor_usd`, `billed_usd` and `vs_floor` are input cost."""
    runs = list(chain.from_iterable(source.runs for source in sources))
    return {
        "calibration": _calibration_json(foreseen_in_all(sources)),
        **_bill_json(add_up(runs), names),
        "at_most_recorded": _compared_json(runs, names),
        "what_if": _rows_json(rows_in_all(sources), runs),
        "sources": [
            {
                "source": source.source,
                "calibration": _calibration_json(source.foreseen),
                **_bill_json(add_up(source.runs), names),
                "at_most_recorded": _compared_json(source.runs, names),
                "what_if": _rows_json(source.rows, source.runs),
            }
            for source in sources
        ],
        "runs": [{"source": run.source, "run": run.run, **_bill_json(run, names)} for run in runs],
        "skipped": dict(skipped),
    }


def _bill_json(bill: RunBill, names: Sequence[str]) -> dict[str, Any]:
    return {
        "floor_usd": money.dollars(bill.floor),
        "billed_usd": money.dollars(bill.billed),
        "calls": bill.calls,
        "policies": {name: _policy_json(bill, bill.policies[name]) for name in names},
    }


def _policy_json(bill: RunBill, found: Money) -> dict[str, Any] | None:
    if found.not_offered:
        return None
    return {
        "input_usd": money.dollars(found.input_cost),
        "output_usd": money.dollars(found.output_cost),
        "usd": money.dollars(found.total),
        "vs_floor": round(found.input_cost / bill.floor, 4) if bill.floor else None,
        "tokens": dict(found.tokens),
    }


def _rows_json(rows: Sequence[RowBill], runs: Sequence[RunBill]) -> list[dict[str, Any]]:
    """Each row of a what-if; `saved_usd` is against the recorded markers through the same model."""
    recorded = sum(run.policies["recorded"].total for run in runs)
    return [
        {
            "row": bill.row.name,
            "does": bill.row.describe(),
            "input_usd": money.dollars(bill.money.input_cost),
            "output_usd": money.dollars(bill.money.output_cost),
            "extra_usd": money.dollars(bill.money.extra),
            "usd": money.dollars(bill.money.total),
            "low_usd": money.dollars(bill.low),
            "high_usd": money.dollars(bill.high),
            "saved_usd": money.dollars(recorded - bill.money.total),
            "calls": bill.touched,
            "tokens": dict(bill.money.tokens),
            "removed": None if bill.removed is None else _removed_json(bill.removed),
            "notes": list(bill.notes),
        }
        for bill in rows
    ]


def _removed_json(found: Removed) -> dict[str, Any]:
    return {
        "tokens": found.tokens,
        "calls": found.calls,
        "taken": found.taken,
        "uses": found.uses,
        "used": found.used,
        "regret": round(found.share, 4),
        "charged_usd": money.dollars(found.charged),
    }


def _calibration_json(found: Foreseen) -> dict[str, Any]:
    return {
        "calls": found.calls,
        "read_within_1pct": round(found.within / found.calls, 4) if found.calls else None,
        "unexplained": found.unexplained,
        "inferred_markers": found.inferred,
        "model_usd": money.dollars(found.model),
        "billed_usd": money.dollars(found.billed),
    }


def _compared_json(runs: Sequence[RunBill], names: Sequence[str]) -> dict[str, Any]:
    """Each other policy beside the recorded markers, run by run; what was not offered cannot be compared."""
    told = {}
    for name in names:
        if name == "recorded" or any(run.policies[name].not_offered for run in runs):
            continue
        found = compare(runs, name)
        told[name] = {
            "runs": found.runs,
            "at_most": found.at_most,
            "share": round(found.share, 4),
            "dearer": [
                {
                    "run": run.run,
                    "recorded_usd": money.dollars(run.policies["recorded"].input_cost),
                    "usd": money.dollars(run.policies[name].input_cost),
                }
                for run in found.dearer
            ],
        }
    return told
