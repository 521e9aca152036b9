"""What a token costs and what the cache allows: as published on a day, or as someone stated it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import partial

from scrimp.core.cache import CacheRules
from scrimp.core.estimate.offered import offered
from scrimp.core.prompt import Reading
from scrimp.core.workspace import cache_rules, reading
from scrimp.facts.models import Facts
from scrimp.facts.prices import Rates, per_million

__all__ = ["Terms", "published", "stated"]

_BATCH = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Terms:
    """One model's terms; `live` and `batched` give the rates of a prompt of so many tokens (picodollars)."""

    reading: Reading
    rules: CacheRules
    live: Callable[[int], Rates]
    batched: Callable[[int], Rates]
    window: int
    max_output: int


def published(facts: Facts, model_id: str, day: date) -> Terms:
    """The terms of a model by the facts of a day. Raises InputError where there can be none."""
    model = offered(facts, model_id, day)
    return Terms(
        reading(facts, model, day),
        cache_rules(facts, model, model.provider, day),
        lambda tokens: model.rates(day, prompt_tokens=tokens),
        lambda tokens: model.rates(day, prompt_tokens=tokens, batch=True),
        model.window,
        model.max_output,
    )


def stated(model: str, dollars_in: str, dollars_out: str, *, minimum: int = 1_024) -> Terms:
    """Terms from two prices in USD per million tokens: 5m writes 1.25 of input, 1h writes 2, reads 0.1."""
    each = per_million(dollars_in)
    rates = Rates(
        each, each * 5 // 4, each * 2, each // 10, per_million(dollars_out)
    )  # exact: prices per million tokens are multiples of 20 picodollars a token
    rules = CacheRules(lookback=20, minimum=minimum)
    batched = rates.scaled(_BATCH)
    return Terms(Reading(model), rules, partial(_always, rates), partial(_always, batched), 200_000, 64_000)


def _always(rates: Rates, _tokens: int) -> Rates:
    return rates
