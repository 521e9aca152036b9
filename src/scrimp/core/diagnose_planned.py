"""A planned request as a watch sees it."""

from __future__ import annotations

from scrimp.core.diagnose_memory import Call
from scrimp.core.prompt import Prompt
from scrimp.core.settings import CacheSettings, cache_settings
from scrimp.core.workspace import Planned
from scrimp.facts.model import Model
from scrimp.wire.request import Body

__all__ = ["call_of"]


def call_of(planned: Planned, body: Body, *, label: str | None = None, run: str | None = None) -> Call:
    """The request as it goes out by its plan. `label` is the kind of agent, `run` one run of it."""
    asked, situation, prompt = planned.asked, planned.situation, planned.asked.prompt
    markers = planned.plan.markers
    return Call(  # in their order: by name takes longer than all else here
        prompt if markers == prompt.markers else prompt.remarked(markers),
        asked.asks or _settings(body, asked.model, prompt),
        situation.ends,
        situation.total,
        asked.rules,
        asked.model,
        asked.day,
        situation.now,
        label,
        run,
        planned.plan.chosen.outcome.read,
        too_short=planned.too_short,
    )


def _settings(body: Body, model: Model, prompt: Prompt) -> CacheSettings:
    return cache_settings(body, model=prompt.model, default_effort=model.features.default_effort or "high")
