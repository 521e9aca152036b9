"""A row of a what-if: a policy and some levers, replayed together, so that nothing is saved twice."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from scrimp.core.cache import Outcome
from scrimp.core.prompt import Marker
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import POLICIES, Policy, Replayed, replay
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed, Lever, Removed
from scrimp.core.whatif.marking import Marking, marked_by
from scrimp.core.whatif.order import in_time_order

__all__ = ["Row", "RowReplay", "apply_all", "replay_row"]


class Row(msgspec.Struct, frozen=True):
    """One row: its name, the policy below it (a name in `POLICIES`), its levers in the order applied.

    `changes_contents` says that a lever takes something out of prompts: what later messages name must be
    known then.
    """

    name: str
    policy: str = "recorded"
    levers: tuple[Lever, ...] = ()
    markings: tuple[Marking, ...] = ()
    changes_contents: bool = False

    def describe(self) -> list[str]:
        """What it does, a line each."""
        told = [lever.describe() for lever in self.levers] + [marking.describe() for marking in self.markings]
        return told if self.policy == "recorded" else [f"policy {self.policy}", *told]


class RowReplay(msgspec.Struct, frozen=True):
    """A source replayed under a row: each call as given, in the order given."""

    replayed: Sequence[Replayed]
    removed: Removed | None = None
    touched: int | None = None
    notes: tuple[str, ...] = ()


def apply_all(levers: Sequence[Lever], calls: Sequence[Measured]) -> Changed:
    """`calls` (of one source, in time order) under every lever, one after the other."""
    found = Changed(calls, (0,) * len(calls))
    for lever in levers:
        found = _joined(calls, found, _in_order(lever, found.calls))
    return found


def replay_row(calls: Sequence[Measured], row: Row) -> RowReplay:
    """The calls of one source, in time order, under `row`."""
    marked = _as_marked(calls, row)
    changed = apply_all(row.levers, marked)
    if marked is not calls:  # what no lever touched is marked as if none had looked at it
        kept = [
            given if found is seen else found
            for given, seen, found in zip(calls, marked, changed.calls, strict=True)
        ]
        changed = replace(changed, calls=kept)
    order = in_time_order(changed.calls)
    policy = marked_by(POLICIES[row.policy](), row.markings)
    replayed = replay([_dealt(changed.calls[place], row.markings) for place in order], policy)
    found = [found for _, found in sorted(zip(order, replayed, strict=True), key=lambda item: item[0])]
    for place, extra in enumerate(changed.extra):
        if extra:
            found[place] = replace(found[place], extra=extra)
    return RowReplay(found, changed.removed, changed.touched, changed.notes)


def _as_marked(calls: Sequence[Measured], row: Row) -> Sequence[Measured]:
    """The calls with the markers that the row's policy gives them before any lever changes what they hold.

    What takes something out of prompts must know what the cache holds of them.
    """
    if not row.changes_contents or (row.policy == "recorded" and not row.markings):
        return calls
    noting = _Noting(marked_by(POLICIES[row.policy](), row.markings))
    replay([_dealt(one, row.markings) for one in calls], noting)
    return [
        replace(one, call=replace(one.call, prompt=one.call.prompt.remarked(markers)))
        for one, markers in zip(calls, noting.markers_of, strict=True)
    ]


class _Noting:
    """A policy whose markers are written down."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.markers_of: list[Sequence[Marker]] = []

    def markers(self, call: RecordedCall) -> Sequence[Marker]:
        self.markers_of.append(self._policy.markers(call))
        return self.markers_of[-1]

    def billed(self, outcome: Outcome) -> None:
        self._policy.billed(outcome)


def _dealt(one: Measured, markings: Sequence[Marking]) -> Measured:
    """The call with what it found from outside the recording living as long as the row has it."""
    if one.dealt is None or one.dealt.found is None:
        return one
    ttl = one.dealt.ttl
    for marking in markings:
        ttl = marking.unseen(ttl)
    return one if ttl == one.dealt.ttl else replace(one, dealt=replace(one.dealt, ttl=ttl))


def _in_order(lever: Lever, calls: Sequence[Measured]) -> Changed:
    """What a lever makes of calls that an earlier one may have moved in time."""
    order = in_time_order(calls)
    if order == list(range(len(calls))):
        return lever.apply(calls)
    changed = lever.apply([calls[place] for place in order])
    back = sorted(range(len(order)), key=order.__getitem__)
    return replace(
        changed,
        calls=[changed.calls[place] for place in back],
        extra=[changed.extra[place] for place in back],
    )


def _joined(given: Sequence[Measured], before: Changed, after: Changed) -> Changed:
    """Both changes as one of the calls `given`."""
    removed = before.removed
    if after.removed is not None:
        removed = after.removed if removed is None else removed + after.removed
    counts = [count for count in (before.touched, after.touched) if count is not None]
    if counts and removed is None:  # each lever counts its own calls, which may be other ones
        counts.append(sum(one is not was for one, was in zip(after.calls, given, strict=True)))
    return Changed(
        after.calls,
        [one + other for one, other in zip(before.extra, after.extra, strict=True)],
        removed,
        max(counts) if counts else None,
        tuple(dict.fromkeys((*before.notes, *after.notes))),
    )
