"""How long the tool results of a planned request are, with the thinking that led to them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Sequence

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.carry.clearing import PLACEHOLDER_TOKENS
from scrimp.core.carry.cut import Cut, History
from scrimp.core.carry.history import THOUGHTS, Place
from scrimp.core.carry.worth import Moment, Result
from scrimp.core.planned import Planned
from scrimp.core.prompt import Marker
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

__all__ = ["lifetime_of", "moment_of", "own_price", "paid_rates", "results_of", "write_price"]

_Part = tuple[int, int]
"""Where something begins and how long it is, in tokens."""


def results_of(
    planned: Planned, history: History, *, cut: Cut, keep: int, excluded: Collection[str], thinking: bool
) -> list[Result]:
    """What can still be cleared, oldest first: the results beyond `cut` but the last `keep`.

    The result of a tool in `excluded` has no tokens to give. With `thinking` each has those of the thinking
    before it, but for the last turn that has any.
    """
    uses = history.uses
    last = len(uses) - keep
    if last <= cut.uses:
        return []
    results, thoughts = _places(planned)
    old_turns = deque(history.turns[cut.turns : -1] if thinking else ())
    found = []
    for number in range(cut.uses, last):
        use, tokens = uses[number], 0
        begins, size = results.get(use.result, (0, 0))
        if use.tool not in excluded:
            tokens = max(0, size - PLACEHOLDER_TOKENS)
        while old_turns and old_turns[0] <= use.asked[0]:
            for began, length in thoughts.get(old_turns.popleft(), ()):
                begins, tokens = min(begins, began), tokens + length
        found.append(Result(use.tool, tokens, begins, len(uses) - 1 - number))
    return found


def _places(planned: Planned) -> tuple[dict[Place, _Part], dict[int, list[_Part]]]:
    """The results by where they are, and the thinking by its message."""
    results: dict[Place, _Part] = {}
    thoughts: dict[int, list[_Part]] = defaultdict(list)
    begins = 0
    for block, end in zip(planned.prompt.blocks, planned.situation.ends, strict=True):
        if block.depth:
            continue
        if block.kind == "tool_result":
            results[block.message, int(block.path[-1])] = begins, end - begins
        elif block.kind in THOUGHTS:
            thoughts[block.message].append((begins, end - begins))
        begins = end
    return results, thoughts


def moment_of(planned: Planned, calls: float) -> Moment:
    """The step as the decision sees it; `calls` are expected while the cache is warm, this one included."""
    situation, outcome = planned.situation, planned.plan.chosen.outcome
    prompt, ends = situation.prompt, situation.ends
    living = sorted(ends[position] for position in situation.cache.living(prompt, situation.now))
    return Moment(
        total=situation.total,
        cached=outcome.read,
        entries=tuple(living),
        calls=calls,
        rates=paid_rates(planned),
        write=write_price(planned),
    )


def paid_rates(planned: Planned) -> Rates:
    """What the step pays for a token: without markers nothing is read nor written."""
    rates = planned.situation.rates
    return rates if planned.plan.markers else msgspec.structs.replace(rates, read=rates.input)


def write_price(planned: Planned) -> int:
    """What the step pays for a token that it writes."""
    return _price_of(_last_ttl(planned.plan.markers), planned.situation.rates)


def own_price(planned: Planned, *, warm: bool) -> int:
    """What a token early in the conversation costs under the caller's own markers, if the cache is `warm` or
    not: without markers it is plain input at every step."""
    rates, ttl = planned.situation.rates, _last_ttl(planned.plan.own.markers)
    return rates.read if warm and ttl is not None else _price_of(ttl, rates)


def lifetime_of(planned: Planned) -> int:
    """Seconds for which the step's own last entry lives."""
    ttl = _last_ttl(planned.plan.markers)
    return 0 if ttl is None else TTL_SECONDS[ttl]


def _price_of(ttl: TTL | None, rates: Rates) -> int:
    return rates.input if ttl is None else rates.write_1h if ttl == "1h" else rates.write_5m


def _last_ttl(markers: Sequence[Marker]) -> TTL | None:
    return max(markers, key=lambda marker: marker.position).ttl if markers else None
