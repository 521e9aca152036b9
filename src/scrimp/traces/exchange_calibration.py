"""Calibration on recorded exchanges: token estimates and cache predictions against what was billed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from scrimp.core.calibrate import Verdict, judge
from scrimp.core.prompt import read_prompt
from scrimp.core.tokens.estimator import read_settings
from scrimp.core.tokens.judged import has_placeholder, why_not_judged
from scrimp.core.workspace import reading
from scrimp.errors import InputError
from scrimp.facts.models import Facts
from scrimp.traces.corpus import Corpus
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.recorded_calls import day_of, recorded_call, unusable
from scrimp.traces.sizes import Sizes
from scrimp.wire.request import blocks

__all__ = ["ExchangeCalibration", "TokenJudgement", "calibrate_exchanges"]


class TokenJudgement(msgspec.Struct, frozen=True):
    """One prompt's estimate, made before any bill of its run, against the billed total (tokens)."""

    family: str
    source: str
    where: str
    low: int
    mid: int
    high: int
    billed: int

    @property
    def error(self) -> float:
        """Absolute error as a share of the billed total."""
        return abs(self.mid - self.billed) / self.billed

    @property
    def covered(self) -> bool:
        """Whether the bill lay in the interval."""
        return self.low <= self.billed <= self.high

    @property
    def width(self) -> float:
        """Width of the interval as a share of the billed total."""
        return (self.high - self.low) / self.billed


class ExchangeCalibration(msgspec.Struct):
    """What was judged: `tokens` and `verdicts` one by one; `skipped` cached calls not judged, by reason.

    `out_of_scope` counts recordings that cannot judge the cache at all: errors, other endpoints, calls of
    which part was not recorded, calls whose bill holds the provider's own tool runs.
    """

    runs: set[str] = msgspec.field(default_factory=set)
    calls: int = 0
    tokens: list[TokenJudgement] = msgspec.field(default_factory=list)
    verdicts: list[Verdict] = msgspec.field(default_factory=list)
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    out_of_scope: Counter[str] = msgspec.field(default_factory=Counter)


def calibrate_exchanges(corpus: Corpus, facts: Facts) -> ExchangeCalibration:
    """Judge every exchange of `corpus`; each source by factors that have not seen it."""
    result = ExchangeCalibration()
    sizes = Sizes()
    for exchanges in corpus.sources.values():
        usable = [exchange for exchange in exchanges if _usable(exchange, result)]
        _judge_tokens(usable, facts, sizes, result)
        _judge_cache(usable, facts, sizes, result)
    return result


def _usable(exchange: Exchange, result: ExchangeCalibration) -> bool:
    reason = unusable(exchange)
    if reason:
        result.out_of_scope[reason] += 1
        return False
    result.runs.add(exchange.run)
    result.calls += 1
    return True


def _judge_tokens(
    exchanges: Iterable[Exchange], facts: Facts, sizes: Sizes, result: ExchangeCalibration
) -> None:
    for exchange in exchanges:
        usage = exchange.usage
        if usage is None or why_not_judged(
            exchange.body, blocks(exchange.body), usage, partial=exchange.partial
        ):
            continue
        model = facts.resolve(exchange.model)
        prompt = read_prompt(exchange.body, reading(facts, model, day_of(exchange)))
        estimator = sizes.estimator(exchange, model)
        found = estimator.estimate(prompt.blocks, read_settings(exchange.body), prompt.digests)
        result.tokens.append(
            TokenJudgement(
                family=model.tokenizer,
                source=exchange.source,
                where=exchange.where,
                low=found.low,
                mid=found.mid,
                high=found.high,
                billed=usage.total_input,
            )
        )


def _judge_cache(
    exchanges: Iterable[Exchange], facts: Facts, sizes: Sizes, result: ExchangeCalibration
) -> None:
    """Every call teaches the model; those that played with the cache and are whole are judged."""
    calls = []
    for exchange in in_time_order(exchanges):
        try:
            calls.append(recorded_call(exchange, facts, sizes))
        except InputError:
            result.out_of_scope["request is malformed"] += 1
    for verdict in judge(calls):
        call = verdict.call
        if not call.cached:
            continue
        if not call.complete:
            result.out_of_scope["cached, but the request was recorded in part"] += 1
        elif call.server_tools:
            result.out_of_scope["cached, but the bill holds server tools"] += 1
        elif has_placeholder(call.prompt.blocks):
            result.skipped["redaction placeholders in the request"] += 1
        else:
            result.verdicts.append(verdict)
