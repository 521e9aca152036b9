"""Prompts with some of their content gone: what a cut leaves, block by block, and the call that carries it.

A cut says of positions of the conversation as recorded how many tokens are left of each. Everything after the
first of them is another prefix than before: the cache is broken there. The same cut on the same conversation
always gives the same prompt, so that what was written once is read from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from scrimp.core.carry.seen import Edited
from scrimp.core.prompt import Digest, Marker, Prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Dealt, Measured, Used
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.wire.request import Block
from scrimp.wire.response import CacheCreation, Usage

__all__ = ["DROPPED", "NO_CUT", "Cut", "Shorter", "shortened"]

DROPPED = -1
"""Nothing is left of a position, not even a placeholder."""

_CUT = b"cut"


class Cut(msgspec.Struct, frozen=True):
    """Tokens left of positions (`DROPPED`: nothing); `summary` is the position that sums up all the others.

    A position is never left with more tokens than it had, but for a summary.
    """

    left: Mapping[int, int] = {}
    summary: int = -1

    def __bool__(self) -> bool:
        return bool(self.left)

    @property
    def first(self) -> int:
        """The first position that is changed."""
        return min(self.left)

    @property
    def last(self) -> int:
        """The last position that is changed, or -1."""
        return max(self.left, default=-1)

    def within(self, length: int) -> Cut:
        """What of it lies in the first `length` positions."""
        if self.last < length:
            return self
        left = {position: kept for position, kept in self.left.items() if position < length}
        return Cut(left, self.summary) if left else NO_CUT

    def taken(self, ends: Sequence[int]) -> int:
        """Tokens it takes off a prompt with these ends."""
        taken = 0
        for position, left in self.left.items():
            size = ends[position] - (ends[position - 1] if position else 0)
            if position == self.summary:
                taken += size - left
            else:
                taken += size if left == DROPPED else max(0, size - left)
        return taken

    def with_more(self, left: Mapping[int, int]) -> Cut:
        """This cut and more."""
        return Cut({**self.left, **left}, self.summary) if left else self


NO_CUT = Cut()


class Shorter(msgspec.Struct, frozen=True):
    """A prompt as a cut left it: the first `length` positions of the conversation as recorded."""

    cut: Cut
    length: int
    prompt: Prompt


def shortened(
    measured: Measured, cut: Cut, *, fresh: int, base: Shorter | None = None, after: bytes | None = None
) -> Measured:
    """The call as it would have been with `cut` made in its prompt; without one, the very same call.

    `fresh` is the first position that no earlier call had cut (the prompt's length: none); `base` an earlier
    prompt of the conversation under the same cut, which this one goes on from; `after` is the `tail_of` the
    last prompt as it went out, by which a planner may know what this one goes on with. The usage keeps its
    total right: removed tokens come off what was read, then written, then plain. It is no bill, since nobody
    was billed for this prompt.
    """
    if not cut:
        return measured
    call, first = measured.call, cut.first
    places, ends = _placed(measured.ends, cut)
    kept = [number for number, place in enumerate(places) if number < first or place > places[number - 1]]
    removed = measured.ends[-1] - ends[-1]
    total = call.usage.total_input - removed
    prompt = _shortened_prompt(call.prompt, cut, kept, base if base is not None and base.cut is cut else None)
    markers = _markers(call.prompt.markers, prompt.blocks, places)
    return msgspec.structs.replace(
        measured,
        call=msgspec.structs.replace(
            call,
            prompt=prompt.remarked(markers),
            sized=_sized(call, cut, kept, removed),
            usage=_usage(call.usage, removed),
            edited=None if after is None else Edited(len(cut.left), summary=cut.summary >= 0, replaced=after),
        ),
        ends=ends,
        rates=call.model.rates(call.day, prompt_tokens=total),
        dealt=_dealt(measured.dealt, fresh, places),
        used=tuple(Used(places[used.position], used.at) for used in measured.used if used.position < fresh),
    )


def _placed(ends: Sequence[int], cut: Cut) -> tuple[list[int], list[int]]:
    """Where each position is now (a dropped one: where the one before it is), and the new ends.

    What follows the last cut is only moved.
    """
    first = cut.first
    places, now = list(range(first)), list(ends[:first])
    at = now[-1] if now else 0
    before = at
    left, last = cut.left, cut.last + 1
    for number in range(first, last):
        size = ends[number] - before
        before = ends[number]
        stays = left.get(number)
        if stays == DROPPED:
            places.append(len(now) - 1)
            continue
        at += size if stays is None else stays if number == cut.summary else min(stays, size)
        places.append(len(now))
        now.append(at)
    places += range(len(now), len(now) + len(ends) - last)
    now += [at + end - before for end in ends[last:]]
    return places, now


def _shortened_prompt(prompt: Prompt, cut: Cut, kept: Sequence[int], base: Shorter | None) -> Prompt:
    start, known = (cut.first, prompt) if base is None else (base.length, base.prompt)
    done = cut.first if base is None else len(base.prompt)
    blocks, digests = list(known.blocks[:done]), list(known.digests[:done])
    prefixes, ranks = list(known.prefixes[:done]), list(known.ranks[:done])
    state = prefixes[-1] if prefixes else b""
    for number in kept[done:]:
        block, digest = prompt.blocks[number], prompt.digests[number]
        if number in cut.left:
            # A summary stands for all that went before, so it is another one whenever that is.
            digest = _mix(_CUT, prompt.prefixes[cut.last] if number == cut.summary else digest)
            block = _placeholder(block, summary=number == cut.summary)
        state = _mix(state, block.role.encode() + digest)
        parted = number <= start or number - 1 in cut.left
        counts = parted or prompt.ranks[number] > prompt.ranks[number - 1]
        ranks.append((ranks[-1] if ranks else -1) + counts)
        blocks.append(block)
        digests.append(digest)
        prefixes.append(state)
    return msgspec.structs.replace(
        prompt, blocks=tuple(blocks), digests=tuple(digests), prefixes=tuple(prefixes), ranks=tuple(ranks)
    )


def _markers(markers: Sequence[Marker], blocks: Sequence[Block], places: Sequence[int]) -> tuple[Marker, ...]:
    """The caller's markers where their blocks are now; of several on one block the last."""
    moved: dict[int, Marker] = {}
    for marker in markers:
        place = places[marker.position]
        while place >= 0 and not blocks[place].markable:
            place -= 1
        if place >= 0:
            moved[place] = msgspec.structs.replace(marker, position=place)
    return tuple(moved[place] for place in sorted(moved))


def _placeholder(block: Block, *, summary: bool) -> Block:
    if summary:
        return msgspec.structs.replace(block, kind="text", value={"type": "text"}, markable=True, ttl=None)
    value = block.value
    named = ("type", "id", "name", "tool_use_id")
    kept: dict[str, Any] = {}
    if isinstance(value, Mapping):
        kept = {key: value[key] for key in named if key in value}
    return msgspec.structs.replace(block, value=kept, ttl=None)


def _sized(call: RecordedCall, cut: Cut, kept: Sequence[int], removed: int) -> Sized:
    """The prompt's measure before any bill, less what is known to be gone."""
    sized = call.sized
    left = cut.left
    content = [
        min(float(left[number]), sized.content[number]) if number in left else sized.content[number]
        for number in kept
    ]
    around = [sized.around[number] for number in kept]
    low, mid, high = (
        max(len(kept), value - removed)
        for value in (sized.estimate.low, sized.estimate.mid, sized.estimate.high)
    )
    return Sized(content, around, Estimate(low, mid, high))


def _usage(usage: Usage, removed: int) -> Usage:
    from_read = min(removed, usage.cache_read_input_tokens)
    from_written = min(removed - from_read, usage.cache_creation_input_tokens)
    written = usage.cache_creation_input_tokens - from_written
    hours = min(usage.write_1h, written)
    return msgspec.structs.replace(
        usage,
        cache_read_input_tokens=usage.cache_read_input_tokens - from_read,
        cache_creation_input_tokens=written,
        cache_creation=CacheCreation(written - hours, hours),
        input_tokens=usage.input_tokens - (removed - from_read - from_written),
    )


def _dealt(dealt: Dealt | None, fresh: int, places: Sequence[int]) -> Dealt | None:
    """What the bill shows beside the recording, of the prompt as it would have been.

    An entry that nobody recorded had left ends before what only this call cut.
    """
    if dealt is None:
        return None
    kept = dealt.kept and places[dealt.kept - 1] + 1
    found = dealt.found if dealt.found is None or dealt.found < fresh else None
    found = None if found is None else places[found]
    return None if kept is None and found is None else Dealt(kept, found, dealt.ttl)


def _mix(state: bytes, item: Digest) -> Digest:
    return blake2b(b"\0".join((state, item)), digest_size=16).digest()
