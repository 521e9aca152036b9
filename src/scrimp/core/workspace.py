"""The brain of one workspace: what its cache holds, how long its prompts are, and what usually comes next.

    planned = workspace.plan(body, now)        # before the call
    workspace.sent(planned, started_at, first_event_at)
    workspace.billed(planned, usage)           # after it, whatever was predicted

Pure apart from its own memory: no clock, no I/O. The same object plans live requests and replays recordings.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from scrimp.core.cache import Cache, CacheRules
from scrimp.core.horizon import Horizon
from scrimp.core.lengths import Lengths
from scrimp.core.passes.mark import Situation
from scrimp.core.plan import Plan, Range, plan
from scrimp.core.prompt import Prompt, Reading, read_prompt
from scrimp.core.tokens.estimator import Estimator, Ruler, Sized, read_settings
from scrimp.core.tokens.learner import Learner
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.wire.request import Body
from scrimp.wire.response import Usage

__all__ = ["Planned", "Workspace", "cache_rules", "reading"]


class Planned(msgspec.Struct, frozen=True):
    """A plan with what it was made from."""

    prompt: Prompt
    model: Model
    sized: Sized
    situation: Situation
    plan: Plan


class Workspace:
    """One organisation's and workspace's cache as scrimp believes it to be."""

    def __init__(self, facts: Facts, *, provider: str = "anthropic") -> None:
        self._facts = facts
        self._provider = provider
        self._cache = Cache()
        self._lengths = Lengths()
        self._learner = Learner()
        self._horizon = Horizon()
        self._ruler = Ruler()
        self._estimators: dict[str, Estimator] = {}

    def plan(self, body: Body, now: float) -> Planned:
        """Plan a request that starts at `now` (epoch seconds).

        Raises `RequestError` when `body` is not a Messages request, `PlanError` when no safe plan was found;
        either way the caller sends the untouched request.
        """
        day = datetime.fromtimestamp(now, UTC).date()
        name = str(body.get("model", ""))
        model = self._facts.resolve(name)
        prompt = read_prompt(body, reading(self._facts, model, day))
        estimator = self._estimator(model, name)
        sized = estimator.measure(prompt.blocks, read_settings(body), prompt.digests)
        total = self._learner.foresee(model.id, prompt.blocks, prompt.prefixes, sized)
        self._horizon.observe(prompt, now)
        situation = Situation(
            prompt=prompt,
            ends=self._lengths.ends(prompt, sized.sizes, total.mid),
            total=total.mid,
            cache=self._cache,
            rules=cache_rules(self._facts, model, self._provider, day, in_thread="thread" in body),
            rates=model.rates(day, prompt_tokens=total.mid),
            continues=self._horizon.continues(prompt),
            shares=self._horizon.shares(prompt),
            now=now,
            stable_end=self._horizon.stable_end(prompt),
        )
        interval = Range(total.low, total.mid, total.high)
        return Planned(prompt, model, sized, situation, plan(situation, total=interval))

    def sent(self, planned: Planned, started_at: float, first_event_at: float) -> None:
        """The planned request went out and its response began: its entries are there now."""
        self._cache.commit(planned.prompt, planned.plan.chosen.outcome, started_at, first_event_at)

    def billed(self, planned: Planned, usage: Usage) -> None:
        """Learn from a bill: the lengths it reveals, and how far off the estimate was."""
        prompt = planned.prompt
        self._lengths.reveal(prompt.remarked(planned.plan.markers), usage)
        self._learner.learn(
            planned.model.id, prompt.blocks, prompt.prefixes, planned.sized, usage.total_input
        )

    def _estimator(self, model: Model, name: str) -> Estimator:
        found = self._estimators.get(name)
        if found is None:
            found = self._estimators[name] = Estimator(model, spelling=name, ruler=self._ruler)
        return found


def reading(facts: Facts, model: Model, day: date | None) -> Reading:
    """How `model` reads a request."""
    return Reading(
        key=model.id,
        strips_thinking=not model.features.thinking_kept,
        default_effort=model.features.default_effort or "high",
        nested_positions=facts.rules.nested_blocks_are_positions(day),
        images_break_messages=facts.rules.images_break_messages(day),
    )


def cache_rules(
    facts: Facts, model: Model, provider: str, day: date | None, *, in_thread: bool = False
) -> CacheRules:
    """What the provider's cache allowed `model` on a day (None: today's rules)."""
    rules = facts.rules
    limit = rules.max_markers_in_thread(day) if in_thread else rules.max_markers(day)
    return CacheRules(
        lookback=rules.lookback(day),
        minimum=model.cache_minimum,
        max_markers=limit,
        caches=model.features.caching and rules.caches(provider.split("-", 1)[0].split(":", 1)[0], day),
    )
