"""How well the model reproduces the bills of the bundled recordings, before any saving is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scrimp.cli.calibrate import calibration_json
from scrimp.cli.demo_bills import MOATLESS
from scrimp.cli.html.values import CalibrationSummary
from scrimp.core import money
from scrimp.core.calibrate import Verdict
from scrimp.traces.exchange_calibration import ExchangeCalibration
from scrimp.traces.transcript_calibration import calibrate_transcripts

__all__ = ["calibration_summary", "demo_calibration_json"]


def calibration_summary(found: ExchangeCalibration) -> CalibrationSummary:
    """The figures to show, from the very ones that `scrimp calibrate` gives for the same recordings."""
    told = demo_calibration_json(found)
    cache, tokens = told["cache"], told["tokens"]
    caching, warm = cache["caching_route"], cache["warm"]
    judged = {verdict.call.where: verdict.call.run for verdict in found.verdicts}
    left_out = found.calls - len(judged)
    return CalibrationSummary(
        runs=len(set(judged.values())),
        calls=len(judged),
        cache_calls=cache["calls"],
        cache_within_1pct=cache["within_1pct"] or 0.0,
        caching_calls=caching["calls"],
        caching_within_1pct=caching["within_1pct"] or 0.0,
        warm_calls=warm["calls"],
        warm_within_1pct=warm["within_1pct"] or 0.0,
        token_calls=tokens["calls"],
        token_median_error=tokens["median_abs_error"] or 0.0,
        token_p95_error=tokens["p95_abs_error"] or 0.0,
        token_coverage=tokens["interval_coverage"] or 0.0,
        model_usd=cache["model_input_usd"],
        billed_usd=cache["billed_input_usd"],
        left_out=(
            f"Left out here, replayed below: {left_out:,} calls of {MOATLESS}, recorded without tool "
            "definitions and times. Their lengths come from their bills, which also show a marker at the end "
            "of the system prompt; they are taken a second apart."
        ),
    )


def demo_calibration_json(found: ExchangeCalibration) -> dict[str, Any]:
    """What `scrimp calibrate --json` says, and in `cache` what only the demo tells.

    `caching_route`: the predicted calls on a provider that caches at all. `model_input_usd` and
    `billed_input_usd`: the input of all predicted calls, priced by the prediction and by the bill.
    """
    told = calibration_json(found, calibrate_transcripts([]))
    predicted = _predicted(found)
    caching = [verdict for verdict in predicted if verdict.call.rules.caches]
    within = sum(verdict.within for verdict in caching)
    told["cache"] |= {
        "caching_route": {
            "calls": len(caching),
            "within_1pct": round(within / len(caching), 4) if caching else None,
        },
        "model_input_usd": money.dollars(sum(map(_model_cost, predicted))),
        "billed_input_usd": money.dollars(sum(map(_billed_cost, predicted))),
    }
    return told


def _predicted(found: ExchangeCalibration) -> Sequence[Verdict]:
    return [verdict for verdict in found.verdicts if verdict.group == "predicted"]


def _model_cost(verdict: Verdict) -> int:
    call, outcome = verdict.call, verdict.outcome
    rates = call.model.rates(call.day, prompt_tokens=call.usage.total_input)
    return (
        outcome.plain * rates.input
        + outcome.write_5m * rates.write_5m
        + outcome.write_1h * rates.write_1h
        + outcome.read * rates.read
    )


def _billed_cost(verdict: Verdict) -> int:
    call, usage = verdict.call, verdict.call.usage
    rates = call.model.rates(call.day, prompt_tokens=usage.total_input)
    return (
        usage.input_tokens * rates.input
        + usage.write_5m * rates.write_5m
        + usage.write_1h * rates.write_1h
        + usage.cache_read_input_tokens * rates.read
    )
