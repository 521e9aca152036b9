"""What holds for a model on a day: how it reads a request, and what the provider's cache allows it."""

from __future__ import annotations

from datetime import date

from scrimp.core.cache import CacheRules
from scrimp.core.prompt import Reading
from scrimp.facts.model import Model
from scrimp.facts.models import Facts

__all__ = ["cache_rules", "reading"]


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
