"""The plan for one request: what to change, why, and what it should cost.

Passes propose; the gate disposes. A plan leaves only if the request stays valid, means the same to the model,
and is not expected to cost more than the caller's own request under the same model of cache and prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Literal

import msgspec

from scrimp.core.cache import TTL_SECONDS, Outcome
from scrimp.core.passes.mark import Choice, Situation, choose
from scrimp.core.prompt import Marker, Prompt
from scrimp.errors import PlanError
from scrimp.wire.markers import MarkerEdit

__all__ = ["Decision", "Mode", "Plan", "Range", "kept_as_it_is", "plan"]

Mode = Literal["observe", "safe", "save"]
"""`observe` changes nothing, `safe` only what cannot change the answer, `save` also what can."""


class Range(msgspec.Struct, frozen=True):
    """An estimate with its interval; tokens or picodollars."""

    low: int
    mid: int
    high: int


class Decision(msgspec.Struct, frozen=True):
    """One decision of one pass: what, in which mode, why, and the picodollars it is expected to save."""

    action: str
    mode: Mode
    what: str
    why: str
    saves: int


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Edits for one request with the reasons. No edits: the caller's request goes out untouched.

    `own` is the caller's request as it stands, `chosen` what goes out; `input_cost` is the estimated price of
    the chosen request's input, picodollars. `situation` is what was decided on, None where nothing was.
    """

    edits: tuple[MarkerEdit, ...]
    situation: Situation | None
    own: Choice
    chosen: Choice
    total: Range
    input_cost: Range

    def untouched(self) -> Plan:
        """The plan that changes nothing."""
        return msgspec.structs.replace(self, edits=(), situation=None, chosen=self.own)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided and why, put into words for whoever asks."""
        return () if self.situation is None else (_marking(self.situation, self.chosen, self.own),)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Where the markers of the outgoing request are."""
        return self.chosen.markers


def plan(situation: Situation, *, total: Range | None = None) -> Plan:
    """The cheapest valid plan for `situation`; `total` is the interval on the input tokens.

    Raises `PlanError` when the plan would break a promise; the caller then sends the untouched request.
    """
    total = total or Range(situation.total, situation.total, situation.total)
    chosen, own = choose(situation)
    edits = marker_edits(situation.prompt, chosen.markers) if chosen is not own else ()
    if edits:
        _gate(situation, chosen, own)
    return Plan(edits, situation, own, chosen, total, _scaled(chosen.input_cost, total))


def kept_as_it_is(situation: Situation, total: Range) -> Plan:
    """The plan for a request without markers of which nothing can be read or written."""
    price = situation.rates.input
    own = Choice(_OWN, (), Outcome(-1, (), total.mid, 0, 0, 0), total.mid * price, 0)
    return Plan((), situation, own, own, total, Range(total.low * price, own.input_cost, total.high * price))


_OWN = "caller's markers"
_POSITION = attrgetter("position")


def marker_edits(prompt: Prompt, markers: Sequence[Marker]) -> tuple[MarkerEdit, ...]:
    """The edits that turn the caller's markers into `markers`, removals first."""
    blocks = prompt.blocks
    if not prompt.markers and prompt.automatic is None:
        return tuple([MarkerEdit(blocks[marker.position].path, marker.ttl) for marker in markers])
    explicit = {m.position: m for m in prompt.markers if not m.automatic}
    planned = {m.position: m for m in markers if not m.automatic}
    edits = [
        MarkerEdit(prompt.blocks[position].path, None) for position in explicit if position not in planned
    ]
    if prompt.automatic is not None and len(planned) == len(markers):
        # Left alone it would mark a block that the plan leaves out, or take a slot that the plan has filled.
        edits.insert(0, MarkerEdit((), None))
    edits += [
        MarkerEdit(prompt.blocks[position].path, marker.ttl)
        for position, marker in planned.items()
        if position not in explicit or explicit[position].ttl != marker.ttl
    ]
    return tuple(edits)


def _gate(situation: Situation, chosen: Choice, own: Choice) -> None:
    """Do no harm: valid for the API, and not dearer in expectation than what the caller would have sent."""
    prompt, markers = situation.prompt, chosen.markers
    if len(markers) > situation.rules.max_markers:
        raise PlanError(f"{len(markers)} markers planned, the API takes {situation.rules.max_markers}")
    lasts = TTL_SECONDS["1h"]
    for marker in sorted(markers, key=_POSITION):
        if not prompt.blocks[marker.position].markable:
            raise PlanError("a marker was planned on a block that cannot carry one")
        if TTL_SECONDS[marker.ttl] > lasts:
            raise PlanError("a 1h marker was planned after a 5m marker")
        lasts = TTL_SECONDS[marker.ttl]
    if chosen.expected_cost > own.expected_cost:
        raise PlanError("the plan is expected to cost more than the caller's own request")


def _marking(situation: Situation, chosen: Choice, own: Choice) -> Decision:
    if chosen is own:
        what = "keep the caller's markers" if own.markers else "no markers"
        why = "nothing tried is expected to cost less"
    else:
        places = ", ".join(_place(situation.prompt, marker) for marker in chosen.markers)
        what = f"{chosen.name}: {places}" if places else chosen.name
        why = _why(situation, chosen)
    return Decision("mark", "safe", what, why, own.expected_cost - chosen.expected_cost)


def _place(prompt: Prompt, marker: Marker) -> str:
    path = "automatic" if marker.automatic else ".".join(map(str, prompt.blocks[marker.position].path))
    return f"{path} ({marker.ttl})"


def _why(situation: Situation, chosen: Choice) -> str:
    outcome = chosen.outcome
    share = round(100 * situation.events[0].within_5m) if situation.events else 0
    if outcome.written:
        return (
            f"reads {outcome.read:,} and writes {outcome.written:,} tokens; "
            f"a next step within 5 minutes is {share} % likely"
        )
    return f"reads {outcome.read:,} tokens, writes none: a next step within 5 minutes is {share} % likely"


def _scaled(cost: int, total: Range) -> Range:
    """The price interval: cost in proportion to the interval on the tokens."""
    if not total.mid:
        return Range(cost, cost, cost)
    return Range(cost * total.low // total.mid, cost, cost * total.high // total.mid)
