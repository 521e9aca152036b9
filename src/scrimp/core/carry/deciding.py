"""What to do about a step: clear more of it, have it summed up, or neither; and the request that does it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from scrimp.core.carry.cut import (
    CLEARING_BETA,
    LEAST_COMPACTED,
    SUMMING_BETA,
    Cut,
    cut_here,
    cut_there,
    own_edits,
    with_compaction,
)
from scrimp.core.carry.history import content_blocks, last_summary
from scrimp.core.carry.on_demand import COMPACTING_BETA
from scrimp.core.carry.pieces import moment_of, results_of
from scrimp.core.carry.seen import holds_summary
from scrimp.core.carry.steps import Asked, why_not
from scrimp.core.carry.summaries import SUMMARY
from scrimp.core.carry.talks import Kept
from scrimp.core.carry.worth import (
    Clearing,
    Compaction,
    Result,
    Summary,
    choose_clearing,
    choose_compaction,
)
from scrimp.core.carry.worth_missed import Misses, Out
from scrimp.core.planned import Planned
from scrimp.wire.request import Body

__all__ = ["Choice", "Settings", "betas_for", "choose", "made", "summing_betas"]

_CLEARS = frozenset({"clear_tool_uses", "clear_thinking"})


class Settings(msgspec.Struct, frozen=True):
    """What a user asks for: see `Carry`."""

    keep: int
    excluded: tuple[str, ...]
    thinking: bool
    compact: bool
    risk: float

    def compacts(self, asked: Asked) -> bool:
        """Whether the request may be asked to be summed up: nobody else does, and the model can."""
        model = asked.step.model
        able = "threshold" in model.features.compaction and "features.compaction" not in model.inferred
        return self.compact and able and "compact" not in asked.theirs


class Choice(msgspec.Struct, frozen=True):
    """What was weighed: `results` could be cleared, `waits` are what carrying on what could be cleared, and
    summed up, costs at this step, picodollars."""

    results: Sequence[Result] = ()
    waits: tuple[int, int] = (0, 0)
    clearing: Clearing | None = None
    compaction: Compaction | None = None

    @property
    def acts(self) -> Clearing | Compaction | None:
        """What is done: of what acts, what saves more."""
        found = [one for one in (self.clearing, self.compaction) if one is not None and one.acts]
        return max(found, key=lambda one: one.saves, default=None)

    @property
    def why(self) -> str | None:
        """Why nothing is done though something might save; None where nothing would."""
        found = [one for one in (self.clearing, self.compaction) if one is not None]
        return found[0].why if found else None


def choose(
    planned: Planned,
    asked: Asked,
    *,
    kept: Kept,
    calls: float,
    misses: Misses,
    settings: Settings,
    compacts: bool,
) -> Choice:
    """What to do, with so many calls expected while the cache is warm, this one included."""
    moment = moment_of(planned, calls)
    read = moment.rates.read
    thinking = settings.thinking and asked.thinks
    results: list[Result] = []
    if why_not(asked) is None:
        excluded, keep = settings.excluded, settings.keep
        results = results_of(
            planned, asked.history, cut=asked.before.cut, keep=keep, excluded=excluded, thinking=thinking
        )
    account, outs, risk = kept.books.account, kept.outs, settings.risk
    clearing = choose_clearing(
        moment, results, misses=misses, account=account, out=outs, waited=kept.waited, risk=risk
    )
    said = planned.situation.total - planned.static_tokens - SUMMARY
    compaction = None
    if compacts and planned.plan.total.low > LEAST_COMPACTED:
        summary = Summary(SUMMARY, planned.static_tokens, _everything(planned, asked))
        compaction = choose_compaction(
            moment, summary, misses=misses, account=account, out=outs, waited=kept.waited_all, risk=risk
        )
    waits = sum(result.tokens for result in results) * read, max(0, said) * read
    return Choice(results, waits, clearing, compaction)


def made(asked: Asked, cut: Cut, settings: Settings, *, beyond: int = 0) -> Body:
    """The request with `cut` made in it, summed up where it is longer than `beyond` tokens (0: never)."""
    body = asked.body
    if cut and not asked.there:
        body = cut_here(body, asked.history, cut, settings.excluded)
    elif cut:
        thinking = asked.thinks and settings.thinking
        body = cut_there(body, asked.history, cut if thinking else Cut(cut.uses), settings.excluded)
    return with_compaction(body, beyond) if beyond else body


def betas_for(asked: Asked, body: Body) -> tuple[str, ...]:
    """The betas that `body` needs beyond those of the caller."""
    given = asked.step.betas or frozenset()
    added = own_edits(body) - asked.theirs
    needed = []
    if added & _CLEARS and not any(beta.startswith("context-management-") for beta in given):
        needed.append(CLEARING_BETA)
    if "compact" in added and SUMMING_BETA not in given:
        needed.append(SUMMING_BETA)
    else:
        needed += summing_betas(body, given)
    return tuple(needed)


def summing_betas(body: Body, given: Collection[str]) -> tuple[str, ...]:
    """The beta without which the API takes no history with a compaction block, where it is not `given`."""
    messages = body["messages"]
    if any(beta.startswith("compact-") for beta in given) or not holds_summary(messages):
        return ()
    place = last_summary(messages)
    block: Any = {} if place is None else content_blocks(messages[place[0]])[place[1]]
    return (COMPACTING_BETA,) if block.get("signature") else (SUMMING_BETA,)


def _everything(planned: Planned, asked: Asked) -> list[Out]:
    """All that a summary takes out: the results that are there still, and what was said between them."""
    cut = asked.before.cut
    found = results_of(planned, asked.history, cut=cut, keep=0, excluded=(), thinking=False)
    outs = [result.out for result in found]
    rest = planned.situation.total - planned.static_tokens - sum(out.tokens for out in outs)
    ages = range(max(1, len(asked.history.uses)), 0, -1)
    each = max(0, rest) // len(ages)  # of a long history no single thing is missed as a whole
    return [*outs, *(Out(each, "", age) for age in ages)]
