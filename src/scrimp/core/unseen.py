"""Markers that a recording leaves out and its bills show.

Where part of a request was not recorded (its tools, say), the marker at the end of what all prompts of an
agent share may be missing with it. A bill tells: a request without any recorded marker that read or wrote the
cache had one, and what it cached is what came before its messages. From then on requests of that source which
were recorded in part are taken to carry it. A request is never read with the help of its own bill.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from scrimp.core.prompt import Digest, Marker
from scrimp.core.recorded import RecordedCall
from scrimp.wire.markers import TTL

__all__ = ["with_unseen_markers"]


def with_unseen_markers(calls: Iterable[RecordedCall]) -> list[RecordedCall]:
    """The calls of one source, in order, those recorded in part with the marker that earlier bills showed.

    It stands at the end of the system prompt. What a bill showed of the very same system prompt counts before
    what the last one showed of any other.
    """
    shown: dict[Digest | None, TTL | None] = {}
    found = []
    for call in calls:
        end = call.prompt.static_end
        if call.complete or end < 0:
            found.append(call)
            continue
        static = call.prompt.prefixes[end]
        found.append(_marked(call, shown.get(static, shown.get(None))))
        if not call.prompt.markers:
            shown[static] = shown[None] = _lifetime_used(call)
    return found


def _lifetime_used(call: RecordedCall) -> TTL | None:
    """For how long the request asked to keep what it cached; None where it cached nothing."""
    usage = call.usage
    if not usage.cache_read_input_tokens + usage.cache_creation_input_tokens:
        return None
    return "1h" if usage.write_1h else "5m"


def _marked(call: RecordedCall, ttl: TTL | None) -> RecordedCall:
    prompt = call.prompt
    taken = any(marker.position <= prompt.static_end for marker in prompt.markers)
    if ttl is None or taken or len(prompt.markers) >= call.rules.max_markers:
        return call
    marker = Marker(prompt.static_end, ttl)
    return msgspec.structs.replace(call, prompt=prompt.remarked((marker, *prompt.markers)), inferred=True)
