"""Which prefixes the requests of a batch have in common, and where markers make them worth an entry.

Prefixes form a tree: requests that share one part share every part before it. A place is the end of a part
that at least two requests share and that is as long as the model's minimum, or longer by that much than the
place before it. Nothing else is marked: a prefix that only one request has would be written for nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from scrimp.core.cache import TTL_SECONDS, CacheRules
from scrimp.core.prompt import Digest, Marker, Prompt
from scrimp.wire.markers import TTL, MarkerEdit

__all__ = ["Length", "Place", "Shared", "Sharer", "shared_places"]

Length = Callable[[int], int]
"""Position → the most tokens the prompt may have up to and including it."""


class Sharer(msgspec.Struct, frozen=True):
    """One request: its prompt, how long its prefixes may be, and what the cache allows its model."""

    prompt: Prompt
    length: Length
    rules: CacheRules


class Place(msgspec.Struct, frozen=True):
    """A prefix that is written once and read by the others; its entry lives for `seconds` after each use."""

    prefix: Digest
    seconds: int


class Shared(msgspec.Struct, frozen=True):
    """What one request shares: the places it marks, outermost first, and the markers that are missing yet."""

    path: tuple[Place, ...] = ()
    edits: tuple[MarkerEdit, ...] = ()


def shared_places(sharers: Sequence[Sharer | None]) -> list[Shared]:
    """The places of each request; those that share nothing (or are None) get none and stay as they are.

    The caller's own markers stay. Where they leave no room for another one, the deepest of them that lies in
    the shared part serves instead.
    """
    uses = Counter(prefix for one in sharers if one is not None for prefix in set(one.prompt.prefixes))
    lengths: dict[Digest, int] = {}
    return [Shared() if one is None else _shared(one, uses, lengths) for one in sharers]


def _shared(one: Sharer, uses: Counter[Digest], lengths: dict[Digest, int]) -> Shared:
    if not one.rules.caches:
        return Shared()
    wanted = _ends(one, uses, lengths)
    if not wanted:
        return Shared()
    prompt = one.prompt
    own = {marker.position: marker for marker in prompt.markers}
    room = one.rules.max_markers - len(own)
    places: dict[int, TTL] = {}
    edits: list[MarkerEdit] = []
    for position in reversed(wanted):
        if position in own:
            places[position] = own[position].ttl
        elif room > 0:
            room -= 1
            places[position] = ttl = _lifetime(prompt.markers, position)
            edits.append(MarkerEdit(prompt.blocks[position].path, ttl))
    if wanted[-1] not in places:
        instead = _instead(one, own, wanted[-1], lengths)
        if instead is not None:
            places[instead] = own[instead].ttl
    path = tuple(Place(prompt.prefixes[at], TTL_SECONDS[places[at]]) for at in sorted(places))
    return Shared(path, tuple(reversed(edits)))


def _ends(one: Sharer, uses: Counter[Digest], lengths: dict[Digest, int]) -> list[int]:
    """Positions that can carry a marker, each the end of a shared part worth an entry of its own."""
    found: list[int] = []
    before = 0
    for end in _branches(one.prompt, uses):
        position = one.prompt.last_markable(at_most=end)
        if position is None or (found and position <= found[-1]):
            continue
        length = _length(one, position, lengths)
        if length - before >= one.rules.minimum:
            found.append(position)
            before = length
    return found


def _branches(prompt: Prompt, uses: Counter[Digest]) -> list[int]:
    """Positions after which fewer requests go on together; the last one that anybody shares included."""
    tops = [position for position, block in enumerate(prompt.blocks) if block.depth == 0]
    counts = [uses[prompt.prefixes[position]] for position in tops] + [0]
    return [
        position
        for position, count, after in zip(tops, counts, counts[1:], strict=False)
        if count > 1 and after < count
    ]


def _length(one: Sharer, position: int, lengths: dict[Digest, int]) -> int:
    """Measured once for each prefix, so that all who share it come to the same decision."""
    prefix = one.prompt.prefixes[position]
    known = lengths.get(prefix)
    if known is None:
        known = lengths[prefix] = one.length(position)
    return known


def _lifetime(markers: Sequence[Marker], position: int) -> TTL:
    """A marker before one of 1h has to be of 1h as well."""
    return "1h" if any(m.ttl == "1h" and m.position > position for m in markers) else "5m"


def _instead(one: Sharer, own: dict[int, Marker], end: int, lengths: dict[Digest, int]) -> int | None:
    """The caller's deepest marker in the shared part, where it can write an entry."""
    position = max((at for at in own if at < end), default=None)
    if position is None or _length(one, position, lengths) < one.rules.minimum:
        return None
    return position
