"""What the reader of an estimate should know: what does not hold of the workload's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.estimate.terms import Terms
from scrimp.core.estimate.workload import Workload, shares_of
from scrimp.facts.models import Facts

__all__ = ["remarks", "warnings"]

_MINUTE = 60


def remarks(work: Workload, facts: Facts, at: date, terms: Mapping[str, Terms]) -> tuple[str, ...]:
    """One sentence each."""
    return (*_models(work, facts, at), *_caching(work, terms, at), *_together(work), *_batches(work))


def warnings(work: Workload, facts: Facts, at: date) -> Iterator[str]:
    """What makes all of it doubtful, one sentence each: what is not there on the day, or not known."""
    for name in work.models:
        model = facts.resolve(name)
        if model.is_retired(at):
            yield f"{model.id} is retired since {model.retired}: no call to it is answered any more."
        if not model.known:
            yield f"{name}: {model.reason}."
    if work.caching == "auto" and not facts.rules.automatic_caching(at):
        yield f"On {at} there was no automatic caching yet."
    if work.caching != "none" and "1h" in (work.ttl, work.prefix_ttl) and not facts.rules.ttl_1h(at):
        yield f"On {at} nothing could be cached for an hour yet."


def _caching(work: Workload, terms: Mapping[str, Terms], at: date) -> Iterator[str]:
    if work.caching == "none":
        return
    for model, one in terms.items():
        if not one.rules.caches:
            yield f"On {at} {model} has no prompt cache: everything is sent plain."
        elif work.prefix < one.rules.minimum and work.caching != "auto":
            yield (
                f"Tools and system are {work.prefix:,} tokens, and {model} caches {one.rules.minimum:,} at "
                "least: marked or not, they are not cached by themselves, and no error says so."
            )
    yield from _gaps(work)


def _gaps(work: Workload) -> Iterator[str]:
    if work.gap >= TTL_SECONDS[work.ttl] and work.steps > 1:
        yield (
            f"Steps begin {_time(Fraction(work.gap))} apart, and entries live {_life(work.ttl)}: each step "
            "writes its whole prompt anew."
        )
    if work.caching == "auto" and work.runs_per_day > 1:
        yield "Automatic caching marks the last block only, so that no run reads what another one wrote."
    elif not work.prefix_shared:
        yield "Tools and system differ from run to run, so that no run reads what another one wrote."
    else:
        yield from _pauses(work)


def _pauses(work: Workload) -> Iterator[str]:
    """Runs so far apart that each finds the cache cold."""
    seconds = TTL_SECONDS[work.ttl_of_prefix]
    cold = []
    for model, share in shares_of(work.models).items():
        live = share * work.runs_per_day * Fraction(100 - work.batch, 100)
        every = work.hours * 60 * _MINUTE / live if live else Fraction(0)
        if every >= seconds and live > 1:
            cold.append(f"{_time(every)} apart on {model}")
    if cold:
        yield (
            f"Runs begin {', '.join(cold)}, and what they share lives {_life(work.ttl_of_prefix)}: each "
            "begins with a cold cache."
        )


def _together(work: Workload) -> Iterator[str]:
    if work.fanout > 1 and not work.first_alone and work.caching != "none":
        yield (
            f"{work.fanout} branches begin at the same moment, and an entry can be read once its writer's "
            "answer has begun: each of them writes tools and system. With the first alone, one does."
        )


def _batches(work: Workload) -> Iterator[str]:
    if work.batch and not work.batch_hits:
        yield "In batches nothing is cached here; hits come as luck has it, and batch_hits says how many."
    elif work.batch:
        yield f"That {work.batch_hits} % of a batch's calls find the prefix in the cache is not promised."


def _models(work: Workload, facts: Facts, at: date) -> Iterator[str]:
    known = [facts.resolve(model) for model in work.models]
    for model in known:
        if model.retired is not None and not model.is_retired(at):
            yield f"{model.id} is retired from {model.retired} on."
    if len({model.tokenizer for model in known}) > 1:
        yield (
            "These models do not count alike: newer ones make about 30 % more tokens of the same text, and "
            "the same counts are taken for all."
        )


def _time(seconds: Fraction) -> str:
    if seconds < 2 * _MINUTE:
        return f"{float(seconds):.3g} seconds"
    minutes = seconds / _MINUTE
    return f"{float(minutes):.3g} minutes" if minutes < 2 * _MINUTE else f"{float(minutes / 60):.3g} hours"


def _life(ttl: str) -> str:
    return "5 minutes" if ttl == "5m" else "an hour"
