"""A request that was not sent, planned as scrimp would plan it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scrimp.cli.explain_model import Explained, block_rows, price_list
from scrimp.core.bill import day_of
from scrimp.core.workspace import Planned, Workspace
from scrimp.errors import RequestError
from scrimp.facts.models import Facts
from scrimp.wire.loads import loads

__all__ = ["explain_request", "read_request"]

_STDIN = "standard input"


def read_request(path: Path | None) -> tuple[str, Mapping[str, Any]]:
    """Where a request is from and its body; None reads standard input. Raises RequestError."""
    where = _STDIN if path is None else str(path)
    data = sys.stdin.buffer.read() if path is None else path.read_bytes()
    try:
        found = loads(data)
    except ValueError as error:
        raise RequestError(f"{where}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise RequestError(f"{where}: expected the body of a Messages request, a JSON object")
    return where, found


def explain_request(
    where: str, body: Mapping[str, Any], earlier: Sequence[Path], facts: Facts, now: float
) -> Explained:
    """What scrimp would do with `body` after the requests of `earlier`, a minute old and still cached."""
    workspace = Workspace(facts)
    for path in earlier:
        before, sent = read_request(path)
        workspace.sent(_planned(workspace, before, sent, now - 60.0), now - 60.0, now - 59.0)
    planned = _planned(workspace, where, body, now)
    plan, situation = planned.plan, planned.situation
    outcome = plan.chosen.outcome
    return Explained(
        what="request",
        where=where,
        prices=price_list(planned.model, str(body.get("model", "")), day_of(now), situation.total),
        tokens=plan.total,
        blocks=block_rows(
            planned.prompt, situation.ends, plan.markers, read=outcome.read, written=outcome.written
        ),
        expected=plan.own.outcome,
        plan=plan,
        body=body,
    )


def _planned(workspace: Workspace, where: str, body: Mapping[str, Any], now: float) -> Planned:
    try:
        planned = workspace.plan(body, now)
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from None
    if planned is None:
        raise RequestError(f"{where}: continues a thread: the API holds the rest of its prompt")
    return planned
