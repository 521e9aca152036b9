"""`scrimp explain`: every decision for one request, with its reason and its dollars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scrimp.cli.numbers import dollars
from scrimp.cli.output import console, print_json
from scrimp.core import money
from scrimp.core.plan import Plan, Range
from scrimp.core.workspace import Planned, Workspace
from scrimp.errors import RequestError
from scrimp.facts.models import default
from scrimp.wire.loads import loads

__all__ = ["explain"]


@click.command("explain")
@click.argument(
    "request_file", metavar="REQUEST.json", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--after",
    "earlier",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="REQUEST.json",
    help="A request sent just before, whose cache entries are still alive; repeat for several, oldest first.",
)
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON, money as decimal strings in USD.")
def explain(request_file: Path, earlier: tuple[Path, ...], *, as_json: bool) -> None:
    """Show what scrimp would do with one request, why, and what its input should cost.

    REQUEST.json is the body of a Messages request. Nothing is sent. Token counts and dollars are estimates
    with an interval, since no bill has been seen; `--after` says what ran before.
    """
    now = datetime.now(UTC).timestamp()
    workspace = Workspace(default())
    for path in earlier:
        workspace.sent(_planned(workspace, path, now - 60.0), now - 60.0, now - 59.0)
    plan = _planned(workspace, request_file, now).plan
    if as_json:
        print_json(explain_json(plan))
        return
    _print(plan)


def explain_json(plan: Plan) -> dict[str, Any]:
    """The documented JSON of a plan."""
    return {
        "basis": "estimated",
        "tokens": _range(plan.total, int),
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
        "outcome": {
            "plain": plan.chosen.outcome.plain,
            "write_5m": plan.chosen.outcome.write_5m,
            "write_1h": plan.chosen.outcome.write_1h,
            "read": plan.chosen.outcome.read,
        },
    }


def _range(found: Range, shown: Callable[[int], Any]) -> dict[str, Any]:
    return {"low": shown(found.low), "mid": shown(found.mid), "high": shown(found.high)}


def _print(plan: Plan) -> None:
    out = console()
    total, cost, outcome = plan.total, plan.input_cost, plan.chosen.outcome
    low, mid, high = (dollars(money.dollars(amount)) for amount in (cost.low, cost.mid, cost.high))
    own = dollars(money.dollars(plan.own.input_cost))
    out.print("All figures are estimated: nothing was sent, no bill was seen.\n")
    out.print(f"tokens   {total.mid:,} in, between {total.low:,} and {total.high:,}")
    out.print(
        f"divides  {outcome.read:,} read, {outcome.write_5m:,} written for 5m, "
        f"{outcome.write_1h:,} for 1h, {outcome.plain:,} plain"
    )
    out.print(f"input    {mid}, between {low} and {high}; the request as it is: {own}")
    for decision in plan.decisions:
        out.print(f"\n{decision.action} ({decision.mode})", markup=False)
        out.print(f"  what   {decision.what}", markup=False, soft_wrap=True)
        out.print(f"  why    {decision.why}", markup=False, soft_wrap=True)
        saves = dollars(money.dollars(decision.saves))
        out.print(f"  saves  {saves}, later steps included", markup=False)


def _planned(workspace: Workspace, path: Path, now: float) -> Planned:
    try:
        planned = workspace.plan(_request(path), now)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from None
    if planned is None:
        raise RequestError(f"{path}: continues a thread: the API holds the rest of its prompt")
    return planned


def _request(path: Path) -> dict[str, Any]:
    try:
        found = loads(path.read_bytes())
    except ValueError as error:
        raise RequestError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise RequestError("expected the body of a Messages request, a JSON object")
    return found
