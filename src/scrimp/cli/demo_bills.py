"""The bundled runs under each policy, and what they were really billed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator

import msgspec

from scrimp.cli.demo_steps import run_steps
from scrimp.cli.html.values import Step
from scrimp.core.cache import CacheRules
from scrimp.core.summary import Money, Replays, billed_input, replay_source
from scrimp.core.workspace import cache_rules
from scrimp.facts.models import Facts
from scrimp.traces.corpus import Corpus, recorded_sources
from scrimp.traces.exchanges import Exchange
from scrimp.traces.recorded_calls import day_of
from scrimp.traces.sizes import Sizes
from scrimp.wire.response import Usage

__all__ = ["BILLS", "MOATLESS", "DemoRun", "replay_corpus", "tokens_of", "total"]

BILLS = ("none", "billed", "recorded", "scrimp", "floor")
"""The bills of a run, in the order they are shown; all but `billed` and `floor` are policies of replay."""
_POLICIES = ("none", "recorded", "scrimp")
_ROUTE = "anthropic"
MOATLESS = "moatless-tools"
_AGENTS = {"openhands": "OpenHands", "moatless": MOATLESS}


class DemoRun(msgspec.Struct, frozen=True):
    """One run: `run` as recorded, `agent` and `task` for people, its bills, and every call in tokens."""

    run: str
    agent: str
    task: str
    calls: int
    bills: dict[str, Money]
    steps: tuple[Step, ...]


def replay_corpus(
    corpus: Corpus, facts: Facts, sizes: Sizes, advance: Callable[[int], None]
) -> list[DemoRun]:
    """Replay every source on one route; runs come by agent, then by task. `advance(1)` after each source."""
    cacheless = {
        exchange.where
        for source in corpus.sources.values()
        for exchange in source
        if not _rules(exchange, facts).caches
    }
    runs: list[DemoRun] = []
    for _, calls in recorded_sources(corpus, facts, sizer=sizes, route=_ROUTE):
        runs.extend(_runs(replay_source(calls, _POLICIES), cacheless))
        advance(1)
    agents = list(_AGENTS.values())
    return sorted(runs, key=lambda run: (agents.index(run.agent), _natural(run.task)))


def total(runs: Iterable[DemoRun]) -> dict[str, Money]:
    """The bills of several runs as one."""
    whole = {name: Money() for name in BILLS}
    for run in runs:
        for name, bill in run.bills.items():
            whole[name].include(bill)
    return whole


def tokens_of(usage: Usage) -> Counter[str]:
    """The tokens of each kind in a usage, as `Money` counts them."""
    return Counter(
        plain=usage.input_tokens,
        write_5m=usage.write_5m,
        write_1h=usage.write_1h,
        read=usage.cache_read_input_tokens,
        output=usage.output_tokens,
    )


def _runs(replays: Replays, cacheless: Container[str]) -> Iterator[DemoRun]:
    numbers: dict[str, list[int]] = {}
    for number, measured in enumerate(replays.measured):
        numbers.setdefault(measured.call.run, []).append(number)
    for run, own in numbers.items():
        bills = {name: Money() for name in BILLS}
        for number in own:
            for name in _POLICIES:
                bills[name].add(replays.policies[name][number])
            _book(bills, replays, number)
        agent, _, task = run.partition("/")
        yield DemoRun(
            run=run,
            agent=_AGENTS[agent],
            task=task.rpartition("__")[2],
            calls=len(own),
            bills=bills,
            steps=tuple(
                run_steps(
                    [replays.measured[number] for number in own],
                    [replays.policies["scrimp"][number].outcome for number in own],
                    cacheless,
                )
            ),
        )


def _book(bills: dict[str, Money], replays: Replays, number: int) -> None:
    """Book one call as it was billed and at the floor; output costs the same whatever is cached."""
    measured = replays.measured[number]
    call = measured.call
    output = call.usage.output_tokens * measured.rates.output
    bills["billed"].include(Money(billed_input(measured), output, tokens_of(call.usage)))
    bills["floor"].include(Money(replays.floor[number], output))


def _rules(exchange: Exchange, facts: Facts) -> CacheRules:
    """What the provider that really served the call allowed."""
    return cache_rules(facts, facts.resolve(exchange.model), exchange.provider, day_of(exchange))


def _natural(task: str) -> tuple[str, int]:
    """`django-9` before `django-10`."""
    found = re.fullmatch(r"(.*?)-?(\d+)", task)
    return (found[1], int(found[2])) if found else (task, 0)
