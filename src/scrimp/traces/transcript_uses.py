"""What a client's own requests, which no transcript holds, did for the entries of its conversation.

After a turn some clients ask the model once more over the same prefix, and when a person comes back they may
have it summarise what was left: either keeps the entry alive. And times are of when a line was written: an
entry is still read some seconds after its time by the recorded clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.continuity import GRACE, Cause
from scrimp.core.reproduce import Measured, Used
from scrimp.traces.transcript_calibration import JudgedCall

__all__ = ["with_uses"]


def with_uses(calls: Sequence[Measured], judged: Sequence[JudgedCall]) -> list[Measured]:
    """`calls` of one source with the uses that the transcript tells of before each."""
    known = {one.step.id: one for one in judged}
    by_id = {_id(one): one for one in calls}
    return [_with_uses(one, known[_id(one)], known, by_id) for one in calls]


def _id(one: Measured) -> str:
    return one.call.where.rpartition(" ")[2]


def _with_uses(
    one: Measured, judged: JudgedCall, known: dict[str, JudgedCall], by_id: dict[str, Measured]
) -> Measured:
    parent, before = known.get(judged.step.parent or ""), by_id.get(judged.step.parent or "")
    if parent is None or before is None or one.call.at - before.call.at < TTL_SECONDS["5m"]:
        return one  # whatever the earlier call left still lives
    shared = _shared(before, one)
    times = [judged.step.at - GRACE]
    if judged.step.touched_at is not None:
        times.append(judged.step.touched_at)
    if judged.forecast.cause is Cause.READ_AHEAD:
        times.append(parent.placed.call.ended_at)
    used = tuple(
        Used(position, at) for at in sorted(times) if before.call.at < at < one.call.at for position in shared
    )
    return msgspec.structs.replace(one, used=used) if used else one


def _shared(before: Measured, one: Measured) -> list[int]:
    """Positions that both prompts have and the earlier call may have left an entry at."""
    places = {marker.position for marker in before.call.prompt.markers}
    mine, its = one.call.prompt.prefixes, before.call.prompt.prefixes
    return [place for place in sorted(places) if place < len(mine) and mine[place] == its[place]]
