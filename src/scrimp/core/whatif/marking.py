"""Levers on markers: which blocks carry one, and how long what it writes lives. Prompts stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scrimp.core.cache import Outcome
from scrimp.core.prompt import Marker, Prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import POLICIES, Policy
from scrimp.wire.markers import TTL

__all__ = ["SLOTS", "Marking", "Placement", "ScrimpLifetimes", "SetLifetime", "marked_by"]

SLOTS = ("tools", "system", "tail")
"""Where a marker can be put: the ends of tools, of system and of the whole prompt."""


class Marking(Protocol):
    """A lever on the markers of a policy, asked call by call in time order."""

    @property
    def name(self) -> str:
        """Its short name, as `--what-if` takes it."""

    def describe(self) -> str:
        """What it does, in one short line."""

    def begun(self) -> Marking:
        """The same lever with no memory, for another source."""

    def markers(self, call: RecordedCall, markers: Sequence[Marker]) -> Sequence[Marker]:
        """The markers of a call, given those it has otherwise."""

    def unseen(self, ttl: TTL) -> TTL:
        """How long lives what the same client wrote outside the recording, where it was `ttl` before."""

    def billed(self, outcome: Outcome) -> None:
        """What the call just marked was billed."""


class SetLifetime:
    """Every marker writes for the same lifetime."""

    def __init__(self, ttl: TTL) -> None:
        self._ttl = ttl

    @property
    def name(self) -> str:
        return f"ttl={self._ttl}"

    def describe(self) -> str:
        return f"every cache write lives for {'an hour' if self._ttl == '1h' else 'five minutes'}"

    def begun(self) -> SetLifetime:
        return self

    def markers(self, _: RecordedCall, markers: Sequence[Marker]) -> Sequence[Marker]:
        return [Marker(marker.position, self._ttl, marker.automatic) for marker in markers]

    def unseen(self, _: TTL) -> TTL:
        return self._ttl

    def billed(self, _: Outcome) -> None:
        """Nothing is learned."""


class ScrimpLifetimes:
    """Markers stay where they are; each gets the lifetime that scrimp would have given what it ends."""

    def __init__(self) -> None:
        self._planner = POLICIES["scrimp"]()

    @property
    def name(self) -> str:
        return "ttl=scrimp"

    def describe(self) -> str:
        return "each cache write lives as long as scrimp would have chosen"

    def begun(self) -> ScrimpLifetimes:
        return ScrimpLifetimes()

    def markers(self, call: RecordedCall, markers: Sequence[Marker]) -> Sequence[Marker]:
        planned = self._planner.markers(call)
        hours = max((marker.position for marker in planned if marker.ttl == "1h"), default=-1)
        return [
            Marker(marker.position, "1h" if marker.position <= hours else "5m", marker.automatic)
            for marker in markers
        ]

    def unseen(self, ttl: TTL) -> TTL:
        return ttl

    def billed(self, outcome: Outcome) -> None:
        self._planner.billed(outcome)


class Placement:
    """Markers at the ends of chosen slots and nowhere else, each with the lifetime the call asked for."""

    def __init__(self, slots: Sequence[str]) -> None:
        """`slots` are some of `SLOTS`."""
        self._slots = [slot for slot in SLOTS if slot in slots]

    @property
    def name(self) -> str:
        return f"place={','.join(self._slots)}"

    def describe(self) -> str:
        ends = " and ".join(f"the {slot}" if slot == "tail" else slot for slot in self._slots)
        return f"one marker each at the end of {ends}"

    def begun(self) -> Placement:
        return self

    def markers(self, call: RecordedCall, markers: Sequence[Marker]) -> Sequence[Marker]:
        ttl: TTL = "1h" if any(marker.ttl == "1h" for marker in markers) else "5m"
        ends = (_end_of(call.prompt, slot) for slot in self._slots)
        return [Marker(position, ttl) for position in sorted({end for end in ends if end is not None})]

    def unseen(self, ttl: TTL) -> TTL:
        return ttl

    def billed(self, _: Outcome) -> None:
        """Nothing is learned."""


class _Marked:
    """A policy under levers on its markers."""

    def __init__(self, policy: Policy, markings: Sequence[Marking]) -> None:
        self._policy = policy
        self._markings = markings

    def markers(self, call: RecordedCall) -> Sequence[Marker]:
        markers = self._policy.markers(call)
        for marking in self._markings:
            markers = marking.markers(call, markers)
        return markers

    def billed(self, outcome: Outcome) -> None:
        self._policy.billed(outcome)
        for marking in self._markings:
            marking.billed(outcome)


def marked_by(policy: Policy, markings: Sequence[Marking]) -> Policy:
    """`policy` with its markers passed through `markings`, one after the other."""
    return _Marked(policy, [marking.begun() for marking in markings]) if markings else policy


def _end_of(prompt: Prompt, slot: str) -> int | None:
    if slot == "tail":
        return prompt.last_markable()
    end = prompt.section_end(slot)
    return prompt.last_markable(end) if end >= 0 else None
