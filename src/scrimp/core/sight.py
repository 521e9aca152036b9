"""How the model sees a request that is to be warmed (`warmup.Sight`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from scrimp.core.prompt import Prompt, read_prompt
from scrimp.core.tokens.estimator import Estimator, read_settings
from scrimp.core.warmup import Sight
from scrimp.core.workspace import cache_rules, reading
from scrimp.facts.models import Facts

__all__ = ["sight_of"]


def sight_of(body: Mapping[str, Any], facts: Facts, day: date) -> Sight:
    """What the model of `body` reads, how long its prefixes may be, and what its cache allows on that day."""
    name = str(body.get("model", ""))
    model = facts.resolve(name)
    how = reading(facts, model, day)
    estimator = Estimator(model, spelling=name)
    settings = read_settings(body)

    def most_tokens(prompt: Prompt, position: int) -> int:
        upto = position + 1
        return estimator.measure(prompt.blocks[:upto], settings, prompt.digests[:upto]).estimate.high

    return Sight(
        read=lambda changed: read_prompt(changed, how),
        most_tokens=most_tokens,
        rules=cache_rules(facts, model, "anthropic", day),
    )
