"""A call of a replay in the terms that a decision is made in (`core.carry.worth`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.carry.worth import Moment, Result
from scrimp.core.carry.worth_missed import Misses, Out
from scrimp.core.whatif.clearing import clearable, cleared
from scrimp.core.whatif.clearing_walk import Turn, lifetime_of

__all__ = ["Left", "goes_of", "learn", "moment_of", "outs_of", "results_of"]

SAID = ""
"""In place of a tool: what was said and asked."""

Left = dict[int, int]
"""Tokens left of positions, as in a cut."""


def moment_of(turn: Turn, calls: float) -> Moment:
    """The call as it would go out; `calls` are expected with it."""
    call, rates = turn.measured.call, turn.measured.rates
    if not call.prompt.markers:  # nothing is cached: every token costs as much at every call
        rates = msgspec.structs.replace(rates, read=rates.input)
        return Moment(turn.total, 0, (), calls, rates, rates.input)
    write = rates.write_1h if lifetime_of(call) > TTL_SECONDS["5m"] else rates.write_5m
    return Moment(turn.total, turn.cached, turn.entries, calls, rates, write)


def results_of(turn: Turn, keep: int, excluded: frozenset[str]) -> list[tuple[Result, Left]]:
    """Results that may be cleared now, oldest first, each with what clearing it leaves."""
    ages = {use.result: len(turn.pieces.uses) - number for number, use in enumerate(turn.pieces.uses)}
    found = []
    before = -1
    for use in clearable(turn, keep, excluded):
        left = cleared(turn, (use,))
        tokens = sum(starmap(turn.takes, left.items()))
        if tokens <= 0:
            continue
        if before < 0:
            before = _tokens_before(turn, min(left))
        found.append((Result(use.name, tokens, before, ages[use.result]), left))
    return found


def outs_of(turn: Turn) -> list[Out]:
    """What is out of the prompt: results, and what was said before the last summary."""
    cut, uses = turn.thread.cut, turn.pieces.uses
    gone = cut.left
    if not gone:
        return []
    back = {position for one in turn.thread.fetched for position in one.positions}
    found = []
    for use, age in zip(uses, range(len(uses), 0, -1), strict=True):
        if use.result in gone and use.result not in back:
            parts = (place for place in range(use.begins, use.result + 1) if place in gone)
            found.append(Out(sum(turn.takes(place, gone[place]) for place in parts), use.name, age))
    if cut.summary < 0:
        return found
    removed = turn.measured.call.usage.total_input - turn.total
    return [*found, *_said(removed, found, [one.age for one in found])]


def goes_of(turn: Turn, removed: int) -> list[Out]:
    """What a summary of `removed` tokens takes out: the results that are still there, and what was said."""
    gone, uses = turn.thread.cut.left, turn.pieces.uses
    found = []
    for use, age in zip(uses, range(len(uses), 0, -1), strict=True):
        if use.result not in gone:
            tokens = sum(turn.size(place) for place in range(use.begins, use.result + 1))
            found.append(Out(tokens, use.name, age))
    return [*found, *_said(removed, found, [one.age for one in found])]


def _said(removed: int, results: Sequence[Out], ages: Sequence[int]) -> list[Out]:
    """What of `removed` tokens was said and asked, spread evenly over the steps that these results end."""
    each = (removed - sum([one.tokens for one in results])) // max(1, len(ages))
    return [Out(each, SAID, age) for age in ages or (1,)] if each > 0 else []


def learn(turn: Turn, outs: list[Out], misses: Misses) -> None:
    """What the conversation's last answer has shown: what it missed, and what it did not."""
    for tool in turn.missed:
        misses.missed(tool)
    made = len(turn.pieces.uses) - len(turn.thread.pieces.uses)
    for out in outs if made else ():
        misses.passed(Out(out.tokens, out.tool, out.age - made), made)


def _tokens_before(turn: Turn, position: int) -> int:
    gone = turn.thread.cut.left.items()
    whole = turn.measured.ends[position - 1] if position else 0
    return whole - sum([turn.takes(place, left) for place, left in gone if place < position])
