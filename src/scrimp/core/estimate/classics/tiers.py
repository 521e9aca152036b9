"""One task on three models, and on a mix of them: per thousand, and per month at four volumes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from scrimp.core.estimate.classics.example import HAIKU, OPUS, SONNET, Classic, Row, Today, pair, row, spent
from scrimp.core.estimate.offered import there
from scrimp.core.estimate.terms import Terms, published
from scrimp.facts.prices import Rates

__all__ = ["monthly", "thousand_tasks"]

_TOLD_ON = date(2025, 9, 1)
_TOLD = {OPUS: "claude-opus-4-1", SONNET: "claude-sonnet-4", HAIKU: "claude-3-5-haiku"}
"""Today's model → the one of its line whose prices are told: 15 and 75, 3 and 15, 0.80 and 4 dollars."""
_MIX = {OPUS: 5, SONNET: 45, HAIKU: 50}
_TASK: dict[str, Any] = {"steps": 1, "prefix": 0, "task": 2_000, "output": 500, "caching": "none", "hours": 1}
_SHARED: dict[str, Any] = {"prefix": 1_500, "task": 500, "caching": "prefix"}
_TOLD_FIGURES = {OPUS: "67.50", SONNET: "13.50", HAIKU: "3.60"}
_VOLUMES = (100, 1_000, 10_000, 100_000)
_DAYS = 30


def thousand_tasks(today: Today) -> Classic:
    """Cost per 1,000 tasks: one tier, all tiers, cached, in batches."""

    def per_thousand(what: str, why: str, models: Mapping[str, int], said: str = "", **how: Any) -> Row:
        task = {**_TASK, "runs_per_day": 1_000, "models": dict(models), **how}
        return row(what, pair(spent(one, **task).cost for one in _terms(today)), "usd", why, said=said)

    tier = {OPUS: "all Opus", SONNET: "all Sonnet", HAIKU: "all Haiku"}
    rows = [
        per_thousand(name, _prices(today, model), {model: 100}, _TOLD_FIGURES[model])
        for model, name in tier.items()
    ]
    rows += [
        per_thousand(
            "5 % Opus, 45 % Sonnet, 50 % Haiku",
            "5 % of 67.50, 45 % of 13.50 and 50 % of 3.60 are 3.375, 6.075 and 1.80: 11.25, not 9.18.",
            _MIX,
            "9.18",
        ),
        per_thousand(
            "the same, cached",
            "Each tier has a cache of its own, and Haiku 3.5 caches nothing under 2,048 tokens.",
            _MIX,
            **_SHARED,
        ),
        per_thousand("the same, in batches", "Half of every token's price, nothing cached.", _MIX, batch=100),
        per_thousand(
            "the same, cached and in batches",
            "Both stack, if every call of a batch finds the prefix: the least it can be. Hits in batches are "
            "best effort.",
            _MIX,
            **_SHARED,
            batch=100,
            batch_hits=100,
        ),
    ]
    return Classic(
        "thousand-tasks",
        "Cost per 1,000 tasks, by tier",
        "$67.50, $13.50 and $3.60 per 1,000 tasks on Opus, Sonnet and Haiku; 5, 45 and 50 % of them tiered",
        "2,000 input and 500 output tokens, one call a task: what all three prices follow from at $15/$75, "
        "$3/$15 and $0.80/$4; where cached, 1,500 of the input are shared; all within one hour",
        tuple(rows),
    )


def monthly(today: Today) -> Classic:
    """A month of these tasks at 100 to 100,000 a day."""

    def a_month(runs: int, models: Mapping[str, int], **how: Any) -> tuple[Fraction | int, Fraction | int]:
        task = {**_TASK, "hours": 24, "runs_per_day": runs, "models": dict(models), **how}
        return pair((spent(one, **task) * _DAYS).cost for one in _terms(today))

    rows = []
    for runs in _VOLUMES:
        said = f"{runs:,} a day"
        rows += [
            row(f"{said}, all Opus", a_month(runs, {OPUS: 100}), "usd", _prices(today, OPUS)),
            row(
                f"{said}, tiered",
                a_month(runs, _MIX),
                "usd",
                "5, 45 and 50 %: a sixth of all Opus as told; today's tiers lie closer together.",
            ),
            row(
                f"{said}, tiered and cached",
                a_month(runs, _MIX, **_SHARED),
                "usd",
                _WHETHER_IT_LIVES[runs],
            ),
        ]
    return Classic(
        "monthly",
        "A month at 100, 1,000, 10,000 and 100,000 runs a day",
        "the tasks of thousand-tasks, 30 days, evenly spread round the clock",
        "2,000 tokens in and 500 out, 1,500 of the input shared where cached; entries live 5 minutes, and "
        "each day begins cold",
        tuple(rows),
    )


_WHETHER_IT_LIVES = {
    100: "Calls of one tier are 29 minutes to 5 hours apart: every one writes, and caching costs extra.",
    1_000: "Sonnet and Haiku come often enough to read; Opus, every 29 minutes, writes each time.",
    10_000: "Every tier's entry lives through the day: Opus comes every 2.9 minutes.",
    100_000: "The same; the few calls before the first answer begins write too.",
}


def _prices(today: Today, model: str) -> str:
    """Whose prices were told, and what the model of today costs."""
    told = today.facts.resolve(_TOLD[model])
    then = told.rates(_TOLD_ON, prompt_tokens=0)
    models = there(today.facts, today.day)
    still = [one.name for one in models if _plainly(one.rates(today.day, prompt_tokens=0)) == _plainly(then)]
    whose = (
        f"{told.name}, retired since {told.retired}" if not still else f"{' and '.join(still)} to this day"
    )
    return f"The told prices are those of {whose}; {model} costs {today.prices(model)}."


def _plainly(rates: Rates) -> tuple[int, int]:
    return rates.input, rates.output


def _terms(today: Today) -> tuple[dict[str, Terms], dict[str, Terms]]:
    told = {model: published(today.facts, old, _TOLD_ON) for model, old in _TOLD.items()}
    return told, {model: today.terms(model) for model in _MIX}
