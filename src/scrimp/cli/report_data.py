"""`scrimp report` for programs: JSON, and the same lines as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scrimp.core import money
from scrimp.core.causes import FIXES, Cause
from scrimp.core.report import Dimension, Line, Report, Standout, few_that_make
from scrimp.core.sizes import SizeHistory
from scrimp.core.totals import Total

__all__ = ["report_json", "sums_json", "write_report_csv"]

_CAUSES = {str(cause): fix for cause, fix in FIXES.items()}


def report_json(report: Report, by: Sequence[Dimension]) -> dict[str, Any]:
    """The documented JSON."""
    few = few_that_make(report.by("task"))
    return {
        "since": _time(report.since),
        "until": _time(report.until),
        "records_since": _time(report.kept_since),
        "total": sums_json(report.whole),
        "by": {name: [_line_json(line, report.whole) for line in report.by(name)] for name in by},
        "days": [
            {"day": str(total.key[0]), "model": total.key[1], **sums_json(total)} for total in report.days
        ],
        "pareto": few and {"tasks": list(few.names), "of": few.lines, "share": round(few.share, 4)},
        "outliers": [_standout_json(one) for one in report.standouts],
        "misses": [_miss_json(line) for line in report.misses()],
        "sizes": [_size_json(one) for one in report.sizes],
    }


def sums_json(total: Total) -> dict[str, Any]:
    """One total; money of every kind apart."""
    return {
        "calls": total.attempts,
        "input_tokens": total.input_tokens,
        "write_5m": total.write_5m,
        "write_1h": total.write_1h,
        "read": total.read,
        "output_tokens": total.output_tokens,
        "read_share": round(total.read / total.prompt_tokens, 4) if total.prompt_tokens else None,
        "usd": money.dollars(total.cost),
        "estimated_usd": money.dollars(total.estimated_cost),
        "saved_usd": money.dollars(total.saved),
        "compared_usd": money.dollars(total.compared_cost),
        "lost_usd": money.dollars(total.lost),
    }


def write_report_csv(path: Path, report: Report, by: Sequence[Dimension]) -> None:
    """Every line of these dimensions, the whole first; money as exact decimals."""
    sums = list(sums_json(report.whole))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["by", "name", "inferred", *sums], lineterminator="\n")
        writer.writeheader()
        writer.writerow({"by": "total", **_plain(report.whole)})
        for name in by:
            for line in report.by(name):
                said = {"by": name, "name": line.name, "inferred": "true" if line.inferred else ""}
                writer.writerow({**said, **_plain(line.total)})


def _plain(total: Total) -> dict[str, Any]:
    return {
        name: f"{value:f}" if name.endswith("_usd") or name == "usd" else value
        for name, value in sums_json(total).items()
    }


def _line_json(line: Line, whole: Total) -> dict[str, Any]:
    share = round(line.total.cost / whole.cost, 4) if whole.cost else None
    return {"name": line.name, "inferred": line.inferred, "share": share, **sums_json(line.total)}


def _standout_json(one: Standout) -> dict[str, Any]:
    found = one.outlier
    return {
        "kind": one.kind,
        "name": found.name,
        "among": one.among,
        "usd": money.dollars(found.amount),
        "typical_usd": money.dollars(found.typical),
        "times": round(found.times, 2),
        "peers": found.peers,
    }


def _miss_json(line: Line) -> dict[str, Any]:
    return {
        "cause": line.name,
        "misses": line.total.attempts,
        "lost_usd": money.dollars(line.total.lost),
        "fix": _CAUSES.get(line.name or "", _CAUSES[Cause.UNKNOWN]),
    }


def _size_json(size: SizeHistory) -> dict[str, Any]:
    return {
        "label": size.label,
        "model": size.model,
        "calls": size.calls,
        "tokens": size.tokens,
        "jumps": [{"day": str(jump.day), "before": jump.before, "after": jump.after} for jump in size.jumps],
        "days": [{"day": str(day), "tokens": tokens} for day, tokens in size.days],
    }


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
