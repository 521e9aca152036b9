"""What keeps a call from reading an entry on its way, and what kept one from being written."""

from __future__ import annotations

from scrimp.core.causes import Cause
from scrimp.core.diagnose_memory import Call, Entry, Talk, reaches
from scrimp.wire.response import Usage

__all__ = ["nothing_cached", "obstacle", "shortened", "unwritten"]

_ABOUT_MINIMUM = 1.25
"""How far beyond the minimum an estimated length must be to count as long enough."""


def obstacle(call: Call, entry: Entry, position: int) -> tuple[Cause | None, str]:
    """Why `call` cannot read the entry that ends at `position`, with the evidence; None where it can."""
    reached = reaches(call, position)
    if not reached and not any(marker.position >= position for marker in call.prompt.markers):
        return Cause.NO_MARKER, "no marker at or after the last entry written"
    if call.at >= entry.dies_at:
        idle = call.at - entry.used_at
        return Cause.EXPIRED, f"{idle:,.0f} s after its last use; the entry lived {entry.ttl}"
    if call.at < entry.readable_at:
        return Cause.CONCURRENT, "the call that writes this prefix had not been answered"
    if not reached:
        ranks = call.prompt.ranks
        nearest = min(m.position for m in call.prompt.markers if m.position >= position)
        blocks = ranks[nearest] - ranks[position] + 1
        return Cause.LOOKBACK, f"{blocks} blocks from the nearest marker; {call.rules.lookback} are tested"
    return None, ""


def unwritten(call: Call, talk: Talk, last: int) -> tuple[int, Cause, str] | None:
    """What a marker could have had, where nothing was ever written of a conversation, and why there was none.

    `last` is the position up to which `call` repeats the conversation. Tokens, cause and evidence.
    """
    shared = call.ends[last]
    if not call.rules.caches:
        return None
    short = shared < call.rules.minimum
    if short and (call.prompt.markers or talk.call.prompt.markers):
        why = f"about {shared:,} tokens; the model caches from {call.rules.minimum:,} on"
        return shared, Cause.BELOW_MINIMUM, why
    if not short and not call.prompt.markers:
        why = "the same prefix was sent before, and no block of this request has a marker"
        return shared, Cause.NO_MARKER, why
    return None


def nothing_cached(call: Call, usage: Usage) -> bool:
    """Whether the provider cached nothing though it was asked to, on a prefix long enough by far."""
    if usage.cache_read_input_tokens or usage.cache_creation_input_tokens or not call.prompt.markers:
        return False
    last = max(marker.position for marker in call.prompt.markers)
    share = call.ends[last] / max(call.total, 1)
    return share * usage.total_input >= _ABOUT_MINIMUM * call.rules.minimum


def shortened(usage: Usage) -> tuple[Cause, str]:
    """What the server did to a prompt that was billed shorter than what was to be read of it."""
    if any(one.type == "compaction" for one in usage.iterations or ()):
        return Cause.COMPACTED, f"{usage.total_input:,} tokens were left after a summary took its place"
    return Cause.CLEARED, f"{usage.total_input:,} tokens were billed in all: the server shortened it"
