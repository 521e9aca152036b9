"""Pricing one call: the id of its model and its usage in, an exact bill out. The baseline is genai-prices."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from random import Random

from genai_prices import Usage as GenaiUsage
from genai_prices import calc_price

from benchmarks.planning import NOW
from benchmarks.timing import Contender, Section, compare, repeated
from scrimp.core.bill import bill
from scrimp.facts import PICODOLLARS, default
from scrimp.wire.response import CacheCreation, Usage

__all__ = ["measure_pricing"]

Call = tuple[str, Usage]
GenaiCall = tuple[str, GenaiUsage]

_MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-haiku-4-5-20251001")
_DAY = datetime.fromtimestamp(NOW, UTC)


def measure_pricing(*, calls: int, rounds: int, seed: int) -> Section:
    """Microseconds per call, over `calls` different usages. Raises ValueError when the two disagree."""
    random = Random(seed)
    ours = [(random.choice(_MODELS), _usage(random)) for _ in range(calls)]
    theirs = [(model, _as_genai(usage)) for model, usage in ours]
    _check(_priced(ours), _genai_priced(theirs))
    scrimp, genai = "scrimp: facts.resolve + bill", "genai-prices: calc_price"
    contenders = [
        Contender(scrimp, lambda: repeated(_priced, ours), calls),
        Contender(genai, lambda: repeated(_genai_priced, theirs), calls),
    ]
    rows = compare(contenders, baseline=genai, rounds=rounds, scale=1e6)
    about = f"{calls} usages of {len(_MODELS)} models; both come to the same picodollar"
    return Section("pricing", "Pricing a call", "µs", about, rows)


def _priced(calls: list[Call]) -> int:
    facts = default()
    return sum(bill(usage, facts.resolve(model), at=NOW, facts=facts).total for model, usage in calls)


def _genai_priced(calls: list[GenaiCall]) -> Fraction:
    prices = (
        calc_price(usage, model, provider_id="anthropic", genai_request_timestamp=_DAY)
        for model, usage in calls
    )
    return sum((Fraction(price.total_price) for price in prices), Fraction(0))


def _check(ours: int, theirs: Fraction) -> None:
    if Fraction(ours, PICODOLLARS) != theirs:
        raise ValueError(f"scrimp and genai-prices differ: {ours} picodollars and {float(theirs)} dollars")


def _usage(random: Random) -> Usage:
    five, hour = random.randrange(6_000), random.choice((0, random.randrange(20_000)))
    return Usage(
        input_tokens=random.randrange(50),
        output_tokens=random.randrange(1, 4_000),
        cache_creation_input_tokens=five + hour,
        cache_read_input_tokens=random.randrange(180_000),
        cache_creation=CacheCreation(five, hour),
    )


def _as_genai(usage: Usage) -> GenaiUsage:
    """The same usage by genai-prices' rules: its input count includes what was read and written."""
    return GenaiUsage(
        input_tokens=usage.total_input,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        cache_write_1h_tokens=usage.write_1h,
        output_tokens=usage.output_tokens,
    )
