"""Judges continuity: what `Continuity` predicted for each call against its bill, and why they differ."""

from __future__ import annotations

from scrimp.core.continuity import Bill, Cause, Forecast, Known, Step
from scrimp.core.tally import Tally
from scrimp.core.tolerance import tolerance

__all__ = ["agrees", "count", "disagreement"]


def count(tally: Tally, forecast: Forecast, bill: Bill, total: int) -> None:
    """Count one forecast for a call of `total` input tokens against its bill."""
    tally.count(
        within=agrees(forecast, bill, total),
        read_exact=abs(forecast.read - bill.read) <= tolerance(total),
        predicted_read=forecast.read,
        billed_read=bill.read,
        promised=forecast.expected,
    )


def agrees(forecast: Forecast, bill: Bill, total: int) -> bool:
    """Whether read and write each lie within 1 % of total input (and 16 tokens) of what was billed."""
    slack = tolerance(total)
    return abs(forecast.read - bill.read) <= slack and abs(forecast.write - bill.written) <= slack


def disagreement(step: Step, forecast: Forecast, bill: Bill, parent: Known | None) -> str:
    """Why a forecast and a bill that do not agree differ, as far as can be told; a class to count by."""
    slack = tolerance(step.total)
    missed = bill.read < forecast.expected / 2
    if forecast.cause in (Cause.CONTINUES, Cause.READ_AHEAD):
        return _unseen(forecast, bill, slack, None if parent is None else parent.bill.read, missed=missed)
    if forecast.cause is Cause.FIRST:
        return "first call: static prefix of another length"
    if missed or bill.read < forecast.read - slack:
        return f"{forecast.cause}: another length survived"
    if forecast.cause is Cause.EXPIRED:
        return "lived longer"
    return f"{forecast.cause}: prefix survived"


def _unseen(forecast: Forecast, bill: Bill, slack: float, read_before: int | None, *, missed: bool) -> str:
    """A continuation that did not go as predicted."""
    if missed:
        return "evicted early, or changed unseen"
    if bill.read > forecast.read + slack:
        return "extended by a call that was not recorded"
    if bill.read >= forecast.read - slack:
        return "input left after the last marker"
    if read_before is not None and abs(bill.read - read_before) <= slack:
        return "written too recently to be read"
    if bill.read >= forecast.expected - slack:
        return "not extended by the client's own call"
    return "part of the prefix lost"
