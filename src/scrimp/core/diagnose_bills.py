"""Why a call of a transcript missed, where prompts cannot be compared and only bills and sizes speak.

A call should have read what its parent left cached. What the transcript itself shows (a compaction, another
model, an entry past its TTL …) was foreseen by `Continuity`; for the rest the evidence is what was read
after all: the parent's entry is missing while an older one is read, or messages are missing while the static
prefix is read. "Evicted early" is said only where the TTL had not run out, nothing visible changed, the
history did not shrink, and what was still read ends where the static prefix does, or nothing was read.
"""

from __future__ import annotations

import msgspec

from scrimp.core.causes import Cause
from scrimp.core.continuity import GRACE, SHRUNK, Bill, Forecast, Known, Step
from scrimp.core.continuity import Cause as Foreseen
from scrimp.core.tolerance import tolerance

__all__ = ["CAUSES", "Signs", "StaticLengths", "lifetime", "missed", "why"]

CAUSES: dict[Foreseen, Cause] = {
    Foreseen.EXPIRED: Cause.EXPIRED,
    Foreseen.COMPACTION: Cause.COMPACTED,
    Foreseen.EDITED: Cause.SHORTENED,
    Foreseen.RESUMED: Cause.RESUMED,
    Foreseen.MODEL_SWITCH: Cause.MODEL_SWITCH,
    Foreseen.THINKING_SWITCH: Cause.THINKING_SWITCH,
    Foreseen.EFFORT_SWITCH: Cause.EFFORT_SWITCH,
    Foreseen.NEW_TOOLS: Cause.TOOLS_CHANGED,
    Foreseen.LOOKBACK: Cause.LOOKBACK,
}
"""What `Continuity` foresees, by the names of diagnoses."""

_STATIC_SLACK = 0.03
"""By how much two lengths of one static prefix may differ: it holds the date, the folder, the git status."""

_RECENT = 3
"""Calls back to which an entry is that of the newest turns rather than of the beginning."""

_LENGTHS_KEPT = 64


class Signs(msgspec.Struct, frozen=True):
    """What the transcript shows of a call beside its sizes.

    `images` came in with it, `interrupted` says a person stopped the turn before, `speed` that the speed of
    the answers changed. `began_with` is the total input of the conversation's first call (tokens), in which
    the static prefix is; 0 where unknown.
    """

    began_with: int = 0
    images: bool = False
    interrupted: bool = False
    speed: bool = False


class StaticLengths:
    """Lengths at which a static prefix was seen to end, by who shares it (session, folder, machine)."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], list[int]] = {}

    def learn(self, step: Step, read: int) -> None:
        """A call that read no more than the static prefix read this much."""
        for key in _scopes(step):
            lengths = self._seen.setdefault(key, [])
            if read and read not in lengths:
                lengths.append(read)
                del lengths[:-_LENGTHS_KEPT]

    def is_static(self, step: Step, read: int) -> bool:
        """Whether a read of this length is that of a static prefix some call was seen to read."""
        return any(
            abs(read - length) <= _STATIC_SLACK * length
            for key in _scopes(step)
            for length in self._seen.get(key, ())
        )


def lifetime(bill: Bill, parent: Known | None) -> float:
    """How long the entry of a call lives, in seconds: as it was written, or as the one it read."""
    if bill.write_1h:
        return 3600.0
    return parent.ttl if parent is not None and not bill.write_5m else 300.0


def missed(step: Step, forecast: Forecast, bill: Bill) -> bool:
    """Whether a call read less than its parent left cached."""
    return forecast.cause is not Foreseen.FIRST and bill.read < forecast.expected - tolerance(step.total)


def why(
    step: Step,
    forecast: Forecast,
    *,
    bill: Bill,
    line: list[Known],
    signs: Signs,
    static: StaticLengths,
) -> tuple[Cause, str]:
    """The cause of a miss and its evidence. `line` are the calls it descends from, its parent first."""
    foreseen = CAUSES.get(forecast.cause)
    if foreseen is not None:
        return foreseen, _idle(step, line) if foreseen is Cause.EXPIRED else ""
    shown = _shown(step, forecast, signs)
    if shown is not None:
        return shown
    older = _older_entry(step, bill, line)
    if older is not None:
        return older
    return _unseen(step, bill, line, began_with=signs.began_with, static=static)


def _shown(step: Step, forecast: Forecast, signs: Signs) -> tuple[Cause, str] | None:
    """What the transcript shows to have changed, though calls like it usually read on."""
    if signs.speed:
        return Cause.SPEED_SWITCH, "the speed of the answers changed"
    if signs.images:
        return Cause.IMAGE, "an image came in with this call"
    if step.drops_thinking and step.total < forecast.expected:
        return Cause.THINKING_DROPPED, "the prompt is shorter than before a new prompt was typed"
    if step.total < forecast.expected - SHRUNK:
        return Cause.SHORTENED, "the prompt is shorter than what was cached"
    if signs.interrupted:
        return Cause.INTERRUPTED, "the turn before was interrupted"
    return None


def _older_entry(step: Step, bill: Bill, line: list[Known]) -> tuple[Cause, str] | None:
    """Whether an entry from before the parent's was read: the parent's was not there yet."""
    slack = tolerance(step.total)
    ago = step.at - line[0].step.at
    if not bill.read or ago > line[0].ttl:
        return None
    if line[0].bill.written and abs(line[0].bill.read - bill.read) <= slack:
        return Cause.SETTLING, f"what its parent read was read again, not what it wrote {ago:,.0f} s before"
    for distance, known in enumerate(line[1:_RECENT], start=2):
        if abs(known.bill.prefix - bill.read) <= slack:
            return Cause.SETTLING, f"the entry of {distance} calls before was read, none later"
    return None


def _unseen(
    step: Step, bill: Bill, line: list[Known], *, began_with: int, static: StaticLengths
) -> tuple[Cause, str]:
    parent = line[0]
    idle = step.at - parent.step.at
    if idle > parent.ttl + GRACE:
        return Cause.EXPIRED, _idle(step, line)
    if bill.read <= began_with or static.is_static(step, bill.read):
        left = "only the static prefix was read" if bill.read else "nothing was read"
        return (
            Cause.EVICTED,
            f"{left}; nothing visible changed, {idle:,.0f} of {parent.ttl:,.0f} s had passed",
        )
    return Cause.UNKNOWN, f"{bill.read:,} tokens were read, where no known entry ends"


def _idle(step: Step, line: list[Known]) -> str:
    return f"{step.at - line[0].step.at:,.0f} s after its parent; the entry lived {line[0].ttl:,.0f} s"


def _scopes(step: Step) -> list[tuple[str, ...]]:
    scope = step.scope
    kind = ("main" if scope.main else "agent", scope.model)
    return [(*kind, scope.session), (*kind, scope.folder), (*kind, scope.version)]
