"""What `scrimp audit --json` prints: money as decimal strings in USD, null for sections left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from scrimp.cli.audit_checklist_words import followed_in
from scrimp.cli.explain_place import place_name
from scrimp.core import money
from scrimp.core.audit.checklist_model import Amount, Checklist, Finding, Together
from scrimp.core.audit.model import (
    Audit,
    Calibration,
    Misses,
    Paid,
    PartCost,
    Results,
    RunTax,
    SourceCalibration,
    Tax,
    TtlFit,
)

__all__ = ["audit_json"]


def audit_json(audit: Audit) -> dict[str, Any]:
    """The documented JSON of a whole audit; spending is added by whoever has it."""
    floor = audit.floor
    return {
        "calibration": None if audit.calibration is None else _calibration(audit.calibration),
        "span": {
            "began": _time(audit.span.began),
            "ended": _time(audit.span.ended),
            "days": round(audit.span.days, 3),
        },
        "calls": audit.calls,
        "runs": audit.runs,
        "billed_usd": money.dollars(audit.billed),
        "input_usd": money.dollars(audit.input_billed),
        "output_usd": money.dollars(audit.output_billed),
        "api_equivalent": audit.subscription,
        "output_doubtful": audit.output_doubtful,
        "floor": None
        if floor is None
        else {
            "billed_usd": money.dollars(floor.billed),
            "floor_usd": money.dollars(floor.floor),
            "multiple": round(floor.multiple, 4),
        },
        "tax": None if audit.tax is None else _tax(audit.tax),
        "results": None if audit.results is None else _results(audit.results),
        "misses": None if audit.misses is None else _misses(audit.misses),
        "ttl": None if audit.ttl is None else _ttl(audit.ttl),
        "levers": None if audit.levers is None else _levers(audit.levers),
        "skipped": dict(audit.skipped),
        "faults": list(audit.faults),
        "notes": list(audit.notes),
    }


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()


def _calibration(found: Calibration) -> dict[str, Any]:
    return {**_source(found.whole), "sources": [_source(source) for source in found.sources]}


def _source(source: SourceCalibration) -> dict[str, Any]:
    return {
        "source": source.source,
        "calls": source.calls,
        "read_within_1pct": round(source.foreseen, 4),
        "unexplained": source.unexplained,
        "model_usd": money.dollars(source.model),
        "billed_usd": money.dollars(source.billed),
        "error": round(source.error, 6),
    }


def _tax(tax: Tax) -> dict[str, Any]:
    return {
        "calls": tax.calls,
        "input_usd": money.dollars(tax.amount),
        "again": _paid(tax.again),
        "beside_usd": money.dollars(tax.beside),
        "uncached_again_usd": money.dollars(tax.uncached_again),
        "parts": _parts(tax.parts),
        "growing": tax.growing,
        "bounded": tax.bounded,
        "too_short": tax.too_short,
        "projects": {name: _parts(parts) for name, parts in tax.projects.items()},
        "runs": [_run(run) for run in tax.runs],
    }


def _run(run: RunTax) -> dict[str, Any]:
    return {
        "run": run.run,
        "project": run.project,
        "where": place_name(run.where),
        "calls": run.calls,
        "input_usd": money.dollars(run.amount),
        "again_usd": money.dollars(run.again),
        "verdict": run.verdict,
        "tokens_per_step": round(run.slope, 1),
        "parts": _parts(run.parts),
        "steps": [
            {
                "where": place_name(step.where),
                "conversation": step.conversation,
                "parts": dict(step.parts),
                "input_usd": money.dollars(step.amount),
                "again_usd": money.dollars(step.again),
                "output_tokens": step.output_tokens,
            }
            for step in run.steps
        ],
    }


def _parts(parts: Sequence[PartCost]) -> list[dict[str, Any]]:
    return [{"part": one.part, **_paid(one.paid), "again": _paid(one.again)} for one in parts]


def _paid(paid: Paid) -> dict[str, Any]:
    return {
        "plain": paid.plain,
        "write_5m": paid.write_5m,
        "write_1h": paid.write_1h,
        "read": paid.read,
        "usd": money.dollars(paid.amount),
    }


def _results(results: Results) -> dict[str, Any]:
    return {
        **_paid(results.paid),
        "share": round(results.share, 4),
        "tools": [
            {
                "tool": tool.tool,
                "results": tool.results,
                "tokens": tool.tokens,
                "resent": tool.resent,
                **_paid(tool.paid),
            }
            for tool in results.tools
        ],
        "dearest": [
            {
                "tool": one.tool,
                "asked": one.asked,
                "where": place_name(one.where),
                "run": one.run,
                "tokens": one.tokens,
                "calls": one.calls,
                "resent": one.resent,
                **_paid(one.paid),
            }
            for one in results.dearest
        ],
    }


def _misses(misses: Misses) -> dict[str, Any]:
    return {
        "judged": misses.judged,
        "lost_usd": money.dollars(misses.lost),
        "causes": [
            {
                "cause": line.cause,
                "misses": line.misses,
                "tokens": line.tokens,
                "lost_usd": money.dollars(line.lost),
                "intended": line.intended,
                "fix": line.fix,
                "examples": list(map(place_name, line.examples)),
            }
            for line in misses.causes
        ],
    }


def _ttl(fit: TtlFit) -> dict[str, Any]:
    return {
        "written": _paid(fit.written),
        "never_read": fit.never_read,
        "wasted_usd": money.dollars(fit.wasted),
        "expired": fit.expired,
        "rewritten_usd": money.dollars(fit.rewritten),
        "saved_by_1h_usd": money.dollars(fit.saved_by_1h),
        "one_hour": fit.one_hour,
        "hour_not_needed": fit.hour_not_needed,
        "spared_by_5m_usd": money.dollars(fit.spared_by_5m),
        "gaps": [{"gap": gap.gap, "calls": gap.calls, "tokens": gap.tokens} for gap in fit.gaps],
    }


def _levers(checklist: Checklist) -> dict[str, Any]:
    return {
        "billed_usd": money.dollars(checklist.billed),
        "together": None if checklist.together is None else _together(checklist.together),
        "bolder": None if checklist.bolder is None else _together(checklist.bolder),
        "findings": [_finding(finding) for finding in checklist.findings],
    }


def _together(together: Together) -> dict[str, Any]:
    return {
        "levers": list(together.levers),
        "saved_usd": _amount(together.saved),
        "monthly_usd": _amount(together.monthly),
        "share": round(together.share, 4),
        "summed_usd": money.dollars(together.summed),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    regret = finding.regret
    return {
        "lever": finding.lever,
        "title": finding.title,
        "says": finding.says,
        "pays": finding.pays,
        "applies": finding.applies,
        "saved_usd": _amount(finding.saved),
        "monthly_usd": _amount(finding.monthly),
        "share": round(finding.share, 4),
        "basis": finding.basis,
        "confidence": finding.confidence,
        "because": finding.because,
        "risk": finding.risk,
        "change": finding.change,
        "setting": finding.setting or None,
        "followed_in": list(followed_in(finding)),
        "evidence": [
            {"where": place_name(one.where), "note": one.note, "usd": money.dollars(one.amount)}
            for one in finding.evidence
        ],
        "regret": None
        if regret is None
        else {
            "removed": regret.removed,
            "uses": regret.uses,
            "share": round(regret.share, 4),
            "charged_usd": money.dollars(regret.charged),
        },
        "assumptions": list(finding.assumptions),
        "in_total": finding.in_total,
        "why_not": finding.why_not or None,
    }


def _amount(amount: Amount) -> dict[str, Any]:
    return {
        "low": money.dollars(amount.low),
        "mid": money.dollars(amount.mid),
        "high": money.dollars(amount.high),
    }
