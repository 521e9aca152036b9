"""Prices the calls of places: the part of spending that knows what a token costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from operator import add, attrgetter, mul

import msgspec

from scrimp.core.bill import CATEGORIES, bill, day_of
from scrimp.core.spend import QUARTER, Call, Cell, Place, Sums
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.wire.response import Usage

__all__ = ["described_by_counts", "priced"]

_usages = msgspec.json.Decoder(Usage)
_BASE = -1
"""The step of prompts that no price tier is for."""
_NOTHING = (0,) * len(CATEGORIES)

_counts = attrgetter("input", "write_5m", "write_1h", "read", "output")


def described_by_counts(usage: Usage) -> bool:
    """Whether tokens of five kinds and the terms of the call are all that its bill depends on."""
    iterations, tools = usage.iterations, usage.server_tool_use
    if iterations and (
        len(iterations) != 1 or iterations[0].type != "message" or iterations[0].model is not None
    ):
        return False
    if tools is not None and (tools.web_search_requests or tools.code_execution_requests):
        return False
    return usage.split_known and usage.fallback_credit is None and usage.service_tier != "priority"


def priced(places: Sequence[Place], calls: Iterable[Call], facts: Facts) -> list[Cell]:
    """The calls added up by place, each by the prices of its own day (UTC); places without any are left out.

    Unknown models are never free: they are priced as `Facts.resolve` says, and marked.
    """
    counted: dict[int, list[Call]] = {}
    others: dict[int, list[Usage]] = {}
    for call in calls:
        if call.usage is None:
            (counted.get(call.place) or counted.setdefault(call.place, [])).append(call)
        else:
            others.setdefault(call.place, []).append(_usages.decode(call.usage))
    models = {name: facts.resolve(name) for name in {place.model for place in places}}
    bounds = {name: _bounds(model) for name, model in models.items()}
    found: dict[int, Sums] = {}
    for number, many in counted.items():
        place = places[number]
        for step, sums in _by_step(many, bounds[place.model]):
            _add(found, number, _at_rates(place, models[place.model], step, sums))
    for number, usages in others.items():
        place = places[number]
        for usage in usages:
            _add(found, number, _billed(place, models[place.model], usage, facts))
    return [
        Cell(places[number], sums, _guessed(models[places[number].model])) for number, sums in found.items()
    ]


def _add(found: dict[int, Sums], place: int, sums: Sums) -> None:
    found[place] = found[place] + sums if place in found else sums


def _bounds(model: Model) -> tuple[int, ...]:
    """Every prompt length at which any price of the model has a tier, the longest first."""
    tiers = {tier.above for row in (*model.prices, *model.fast) for tier in row.tiers}
    return tuple(sorted(tiers, reverse=True))


def _by_step(calls: Sequence[Call], bounds: tuple[int, ...]) -> Iterator[tuple[int, list[int]]]:
    """How many calls, and their tokens, by the bound that their prompts are beyond.

    Prompts of one step have the same rates. Mostly all are short, which the longest of each kind of their
    tokens show sooner than a look at every call.
    """
    columns = list(zip(*map(_counts, calls), strict=True))
    if not bounds or sum(map(max, columns[:-1])) <= bounds[-1]:
        yield _BASE, [len(calls), *map(sum, columns)]
        return
    steps: dict[int, list[int]] = {}
    for tokens in zip(*columns, strict=True):
        prompt = sum(tokens[:-1])
        step = next((above for above in bounds if prompt > above), _BASE)
        steps[step] = list(map(add, steps.get(step, _NOTHING), (1, *tokens)))
    yield from steps.items()


def _at_rates(place: Place, model: Model, step: int, counted: Sequence[int]) -> Sums:
    calls, *tokens = counted
    day, fast = _day(place), place.speed == "fast"
    rates = model.rates(day, prompt_tokens=step + 1, batch=place.tier == "batch", fast=fast, geo=place.geo)
    amounts = tuple(map(mul, tokens, (rates.input, rates.write_5m, rates.write_1h, rates.read, rates.output)))
    doubtful = model.estimated or (fast and not model.sells_fast(day))
    return Sums(calls, (*tokens, 0), (*amounts, 0), sum(amounts) if doubtful else 0)


def _billed(place: Place, model: Model, usage: Usage, facts: Facts) -> Sums:
    whole = bill(usage, model, at=_day(place), facts=facts)
    return Sums(
        1,
        tuple(whole.quantity(kind) for kind in CATEGORIES),
        tuple(whole.amount(kind) for kind in CATEGORIES),
        whole.total if whole.estimated else 0,
    )


def _day(place: Place) -> date | None:
    return None if place.quarter is None else day_of(float(place.quarter * QUARTER))


def _guessed(model: Model) -> str | None:
    return None if model.known else model.reason
