"""What each contender does with a request: nothing, something fixed, its peer's markers, or scrimp's plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from benchmarks.caching.traffic import Call
from scrimp.core.workspace import Planned, Workspace
from scrimp.errors import PlanError
from scrimp.facts import default
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.request import with_markers
from scrimp.wire.response import Usage

__all__ = ["Fixed", "Scrimp", "automatic", "callers_own", "marked", "no_markers"]

Body = dict[str, Any]


class Fixed:
    """The same rule for every request; nothing is learned."""

    def __init__(self, rule: Callable[[Call], Body]) -> None:
        self._rule = rule

    def request(self, call: Call) -> Body:
        return self._rule(call)

    def began(self, call: Call) -> None:
        """Nothing to note."""

    def billed(self, call: Call, usage: Usage, message_id: str) -> None:
        """Nothing to learn."""


class Scrimp:
    """scrimp as it plans live requests, with one memory for the whole workspace."""

    def __init__(self, received: Callable[[Call], Body] | None = None) -> None:
        """`received` is the request as it comes from the caller; by default it has no markers."""
        self._received = received or no_markers
        self._workspace = Workspace(default())
        self._planned: dict[str, Planned] = {}
        self.unplanned = 0

    def request(self, call: Call) -> Body:
        body = self._received(call)
        try:
            planned = self._workspace.plan(body, call.at, label=call.label)
        except PlanError:
            planned = None
        if planned is None:
            self.unplanned += 1
            return body
        self._planned[call.key] = planned
        return marked(body, planned.plan.edits)

    def began(self, call: Call) -> None:
        planned = self._planned.get(call.key)
        if planned is not None:
            self._workspace.sent(planned, call.at, call.first_event_at)

    def billed(self, call: Call, usage: Usage, message_id: str) -> None:
        planned = self._planned.pop(call.key, None)
        if planned is not None:
            self._workspace.billed(planned, usage, message_id)


def no_markers(call: Call) -> Body:
    """As the caller wrote it, less its markers."""
    return call.body


def automatic(call: Call) -> Body:
    """The API's own top-level caching."""
    return {**call.body, "cache_control": {"type": "ephemeral"}}


def callers_own(call: Call) -> Body:
    """The markers that the agent's author put there."""
    return marked(call.body, call.own)


def marked(body: Body, edits: Sequence[MarkerEdit]) -> Body:
    """`body` with markers set."""
    return cast("Body", with_markers(body, edits))
