"""A step that old content may be taken out of, and what taking it out costs and saves."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scrimp.core.carry.cut import NO_CUT, History, own_edits
from scrimp.core.carry.pieces import own_price, paid_rates, write_price
from scrimp.core.carry.summaries import Brought, Summaries
from scrimp.core.carry.talks import Books, Kept, Talks
from scrimp.core.carry.worth_missed import CALL_TOKENS
from scrimp.core.chains import chain_of
from scrimp.core.levers import Step
from scrimp.core.planned import Planned
from scrimp.core.prompt import Digest
from scrimp.facts.prices import Rates
from scrimp.wire.request import Body
from scrimp.wire.response import TokenCounts, Usage

__all__ = [
    "Asked",
    "Open",
    "cost_of_missing",
    "input_cost",
    "own_extra",
    "read_step",
    "whole_extra",
    "why_not",
]

_CLEARS = "features.context_editing"
_THINKS = frozenset({"enabled", "adaptive"})


class Asked(msgspec.Struct, frozen=True):
    """A step that may be changed, with the summaries that belong in it: its history, what it is known by, how
    its conversation was before, and which kinds of edits the caller asks for; `again` where this very request
    went out before. `given` is the step as the caller wrote it."""

    step: Step
    given: Step
    history: History
    name: Digest
    before: Kept
    theirs: frozenset[str]
    again: bool
    brought: Brought

    @property
    def body(self) -> Body:
        """The request with its summaries."""
        return self.step.body

    @property
    def removed(self) -> int:
        """Tokens that are out of the prompt when this step begins: cleared or summed up."""
        return sum(one.tokens for one in self.before.gone) + self.brought.removed

    @property
    def there(self) -> bool:
        """Whether the API clears; else it is done here."""
        return self.step.model.features.context_editing

    @property
    def thinks(self) -> bool:
        """Whether thinking can be cleared: the model sees old thinking, and nobody else clears it."""
        thinking = self.step.body.get("thinking")
        asks = isinstance(thinking, Mapping) and thinking.get("type") in _THINKS
        kept = self.step.model.features.thinking_kept
        return self.there and asks and kept and "clear_thinking" not in self.theirs


class Open(msgspec.Struct, frozen=True):
    """A step that went out, for its bill: `name` is what it is known by, `removed` tokens were out of it.

    `rates` are those it is billed at (None: nothing is booked), `whole_extra` is what more it would have cost
    with nothing taken out, `missed` what it cost that something cleared was needed; picodollars. `cleared`
    tool uses and turns of thinking are expected to be (None: nothing was asked for). `changed`: it was not
    the caller's own request. `static` tokens are tools and system of one that was met in the middle and went
    out with nothing removed (None: of any other).
    """

    name: Digest
    books: Books
    removed: int
    rates: Rates | None = None
    whole_extra: int = 0
    missed: int = 0
    cleared: tuple[int, int] | None = None
    changed: bool = False
    static: int | None = None


def read_step(given: Step, talks: Talks, summaries: Summaries) -> Asked | None:
    """The step as far as it concerns carrying; None where there is nothing to take out, or nobody may."""
    body, messages = given.body, given.body.get("messages")
    if given.betas is None or not isinstance(messages, list):
        return None
    if body.get("thread") is not None or body.get("compaction") is not None or not _readable(body):
        return None
    chain = chain_of(messages, given.model.id)
    if not chain:
        return None
    brought = summaries.brought(messages, chain)
    step = given
    if brought.messages is not messages:
        step = msgspec.structs.replace(given, body={**body, "messages": brought.messages})
    history = History.of(brought.messages)
    before = talks.before(chain) or Kept(Books())
    again = before.name == chain[-1]
    if before.summary != history.summary:  # what was cleared is in the summary, or was before it
        before = msgspec.structs.replace(before, cut=NO_CUT, gone=(), uses=0, summary=history.summary)
    theirs = own_edits(body)
    if "clear_tool_uses" in theirs and before.cut:
        before = msgspec.structs.replace(before, cut=NO_CUT, gone=())
    return Asked(step, given, history, chain[-1], before, theirs, again, brought)


def _readable(body: Body) -> bool:
    """Whether edits can be put beside those of the caller."""
    management = body.get("context_management")
    if management is None:
        return True
    return isinstance(management, Mapping) and isinstance(management.get("edits") or [], list | tuple)


def why_not(asked: Asked) -> str | None:
    """Why nothing may be cleared, or None."""
    model = asked.step.model
    if "clear_tool_uses" in asked.theirs:
        return "the request clears tool results by an edit of its own"
    if asked.there and _CLEARS not in model.inferred:
        return "the provider's own tools were used" if asked.history.serves_itself else None
    if model.known and model.features.thinking_binding == "none":
        return None
    return "the model has no context editing, and may bind its thinking to what was said"


def whole_extra(planned: Planned, asked: Asked, more_now: int) -> int:
    """What this step would have cost beyond its bill with nothing taken out and the same care for the cache,
    picodollars: what taking out has to be worth.

    `planned` is the request as it stood before this step cleared more, which costs `more_now`.
    """
    rates, cost = paid_rates(planned), planned.plan.chosen.input_cost
    price = rates.read if asked.before.warm(planned.situation.now) else write_price(planned)
    return _whole(planned, asked, cost, price) - cost - more_now


def own_extra(planned: Planned, asked: Asked, sent: Planned) -> int:
    """What the caller's own request would have cost beyond `sent` with their own markers, picodollars.

    `planned` is the request as it stood before this step cleared more: a cut that this step makes breaks
    nothing in what the caller would have sent.
    """
    price = own_price(planned, warm=asked.before.warm(planned.situation.now))
    return _whole(planned, asked, planned.plan.own.input_cost, price) - sent.plan.own.input_cost


def _whole(planned: Planned, asked: Asked, cost: int, price: int) -> int:
    """`cost` with all that is out of the request, at that price a token, and at the rates of its length."""
    total = planned.situation.total + asked.removed
    dearer = planned.model.rates(planned.asked.day, prompt_tokens=total)
    return (cost + asked.removed * price) * dearer.input // planned.situation.rates.input


def input_cost(usage: Usage, rates: Rates) -> int:
    """What the input of an answer was billed, a summary written for it included, picodollars."""
    summed_up = [one for one in usage.iterations or () if not one.in_total]
    written = sum(one.output_tokens for one in summed_up) * rates.output
    return sum(_cost(counts, rates) for counts in (usage, *summed_up)) + written


def cost_of_missing(planned: Planned) -> int:
    """What it costs, picodollars, that a step is made only to fetch again what was cleared."""
    rates = paid_rates(planned)
    return planned.situation.total * rates.read + CALL_TOKENS * (rates.output + write_price(planned))


def _cost(counts: TokenCounts, rates: Rates) -> int:
    return (
        counts.input_tokens * rates.input
        + counts.write_5m * rates.write_5m
        + counts.write_1h * rates.write_1h
        + counts.cache_read_input_tokens * rates.read
    )
