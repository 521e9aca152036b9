"""When letting old content go pays: one decision for live steps and for replays of recorded ones.

Removing R tokens breaks the cache where the first of them stood: what follows is written once where it would
have been read. Each call to come then reads R tokens less. Cold, all is written anyway: nothing is broken,
and R tokens less are written. Both are one sum here, what the next call costs with and without.

Removing costs about the same however much goes, so it is done in batches: not before carrying what could go
has cost as much as removing it does. That is never more than twice what the best moment would have cost,
whenever the conversation ends. And only while the conversation's account can bear that it ends right then,
and what may be missed (`worth_account`, `worth_missed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from scrimp.core.carry.worth_account import RISK, Account
from scrimp.core.carry.worth_missed import CALL_TOKENS, Misses, Out, reserve
from scrimp.facts.prices import Rates

__all__ = [
    "Clearing",
    "Compaction",
    "Moment",
    "Result",
    "Summary",
    "choose_clearing",
    "choose_compaction",
    "now_costs",
    "summary_costs",
]

_LEAST_SHARE = 4
"""What is summed up is at least so many times as long as its summary."""


class Moment(msgspec.Struct, frozen=True):
    """A step before it is sent, in tokens.

    The prompt as it would go out has `total`, of which `cached` would be read; `entries` are the lengths at
    which living entries end, in rising order, that of tools and system among them. `calls` are expected
    while the cache is warm, this one included. `write` is what the step pays for a token it writes.
    """

    total: int
    cached: int
    entries: tuple[int, ...]
    calls: float
    rates: Rates
    write: int


class Result(msgspec.Struct, frozen=True):
    """A tool result that can be cleared: `tokens` fewer then, `before` tokens before it in the prompt."""

    tool: str
    tokens: int
    before: int
    age: int

    @property
    def out(self) -> Out:
        """As it is once it is gone."""
        return Out(self.tokens, self.tool, self.age)


class Clearing(msgspec.Struct, frozen=True):
    """The `count` oldest results go: `removed` tokens.

    `now` is what this step costs more for it (negative: less), `saves` what is expected to be saved in all,
    `may_lose` what the account must bear, picodollars; `acts` says whether to do it now, `why` in words.
    """

    count: int
    removed: int
    now: int
    saves: int
    may_lose: int = 0
    acts: bool = False
    why: str = ""


class Summary(msgspec.Struct, frozen=True):
    """All messages as a summary of `tokens`, after tools and system of `static` tokens.

    `goes` is what it takes out: the results that are in the prompt still, and what else was said.
    """

    tokens: int
    static: int
    goes: Sequence[Out]


class Compaction(msgspec.Struct, frozen=True):
    """All messages become a summary: `removed` tokens fewer.

    `cost` is what writing it costs, beside the step itself and part of `now`; the rest is as in `Clearing`.
    """

    removed: int
    cost: int
    now: int
    saves: int
    may_lose: int = 0
    acts: bool = False
    why: str = ""


def now_costs(moment: Moment, removed: int, first: int) -> int:
    """What this step costs more when `removed` tokens go, the first of them after `first` tokens."""
    read = _still_read(moment, first)
    return (moment.cached - read) * (moment.write - moment.rates.read) - removed * moment.write


def summary_costs(moment: Moment, summary: int) -> int:
    """What writing a summary of so many tokens costs: its prompt, from the cache as far as it is there."""
    rates, plain = moment.rates, moment.total - moment.cached
    return moment.cached * rates.read + plain * rates.input + summary * rates.output


def choose_clearing(
    moment: Moment,
    results: Sequence[Result],
    *,
    misses: Misses,
    account: Account,
    out: Sequence[Out] = (),
    waited: int = 0,
    risk: float = RISK,
) -> Clearing | None:
    """How many of the `results`, oldest first, to clear now; None where clearing none would save anything.

    `out` is what is out already, `waited` what carrying what could go has cost since the last clear.
    """
    best = _most_worth(moment, results, misses) if results else None
    if best is None or best.saves <= 0:
        return None
    gone = [*out, *[result.out for result in results[: best.count]]]
    held = _reserve(moment, gone, moment.total - best.removed, misses)
    return _judged(best, held, moment, waited, account.may_lose(risk))


def choose_compaction(
    moment: Moment,
    summary: Summary,
    *,
    misses: Misses,
    account: Account,
    out: Sequence[Out] = (),
    waited: int = 0,
    risk: float = RISK,
) -> Compaction | None:
    """Whether to sum up all messages now; None where that would save nothing.

    `out` is what is out already and will be missed all the same, `waited` as for `choose_clearing`.
    """
    said, goes = moment.total - summary.static, summary.goes
    removed = said - summary.tokens
    if said < _LEAST_SHARE * summary.tokens:
        return None
    cost = summary_costs(moment, summary.tokens)
    now = cost + now_costs(moment, removed, summary.static)
    left = moment.total - removed
    missed = sum([misses.expected(one, moment.calls) * _again(moment, one.tokens, left) for one in goes])
    saves = round((moment.calls - 1.0) * moment.rates.read * removed - missed) - now
    if saves <= 0:
        return None
    held = _reserve(moment, [*out, *goes], left, misses, earns=removed)
    return _judged(Compaction(removed, cost, now, saves), held, moment, waited, account.may_lose(risk))


def _most_worth(moment: Moment, results: Sequence[Result], misses: Misses) -> Clearing:
    """Of the oldest one, two, … results those that save most."""
    rates, later = moment.rates, moment.calls - 1.0
    broken = now_costs(moment, 0, results[0].before)
    removed = count = 0
    gained = best = -float(broken)
    for number, result in enumerate(results, start=1):
        often = misses.expected(result.out, moment.calls)
        gained += result.tokens * (moment.write + later * rates.read)
        gained -= often * _again(moment, result.tokens, moment.total)
        if gained > best:
            best, count = gained, number
    removed = sum([result.tokens for result in results[:count]])
    return Clearing(count, removed, broken - removed * moment.write, round(best) if count else 0)


def _still_read(moment: Moment, first: int) -> int:
    """Tokens that are read whatever is removed after the first `first`."""
    found = max([entry for entry in moment.entries if entry <= first], default=0)
    return min(found, moment.cached)


def _again(moment: Moment, tokens: int, context: int) -> float:
    """What it costs to fetch so many tokens again, with `context` before them, and to carry them on.

    They are missed about half way through what is to come.
    """
    rates = moment.rates
    step = context * rates.read + CALL_TOKENS * (rates.output + moment.write)
    return step + tokens * (moment.write + (moment.calls - 1.0) * rates.read / 2)


def _reserve(moment: Moment, gone: Sequence[Out], left: int, misses: Misses, earns: int = 0) -> float:
    """What must be held for all that is gone to be missed, while each call saves carrying it."""
    out = max(sum([one.tokens for one in gone]), earns)
    claims = misses.claims(gone, left, moment.rates, moment.write)
    return reserve(claims, float(out * moment.rates.read))


_Choice = TypeVar("_Choice", Clearing, Compaction)


def _judged(best: _Choice, held: float, moment: Moment, waited: int, may_lose: int) -> _Choice:
    """The choice with whether to take it now."""
    if moment.cached and waited < best.now:
        return msgspec.structs.replace(best, why="carrying it has not cost as much yet as removing it would")
    if best.now + held > may_lose:
        return msgspec.structs.replace(best, why="the conversation has not saved enough yet to risk it")
    return msgspec.structs.replace(
        best, may_lose=round(best.now + held), acts=True, why="saves more than it costs"
    )
