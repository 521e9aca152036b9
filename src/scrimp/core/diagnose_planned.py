"""A planned request as a watch sees it."""

from __future__ import annotations

from scrimp.core.diagnose_memory import Call
from scrimp.core.settings import cache_settings
from scrimp.core.workspace import Planned
from scrimp.wire.request import Body

__all__ = ["call_of"]


def call_of(planned: Planned, body: Body, *, label: str | None = None, run: str | None = None) -> Call:
    """The request as it goes out by its plan. `label` is the kind of agent, `run` one run of it."""
    model, situation = planned.model, planned.situation
    markers = planned.plan.markers
    return Call(
        prompt=planned.prompt if markers == planned.prompt.markers else planned.prompt.remarked(markers),
        settings=cache_settings(
            body, model=planned.prompt.model, default_effort=model.features.default_effort or "high"
        ),
        ends=situation.ends,
        total=situation.total,
        rules=planned.asked.rules,
        model=model,
        day=planned.asked.day,
        at=situation.now,
        label=label,
        run=run,
        predicted=planned.plan.chosen.outcome.read,
        too_short=planned.too_short,
    )
