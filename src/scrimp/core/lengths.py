"""How many tokens each prefix of a recorded prompt has, read off the bills.

A bill gives the whole prompt's tokens exactly, and where it read or wrote the cache also the length of the
prefix up to that marker. Those are anchors, remembered by chained digest; between two anchors the tokens are
shared out in proportion to each block's estimated size. What lies before an anchor depends on nothing that
follows it, so that the next step of a conversation is worked out from its last anchor on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import inf

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest, Prompt
from scrimp.wire.response import Usage

__all__ = ["CLOSING", "Lengths", "shared_out"]

CLOSING = 3
"""Tokens the API bills after a prompt's last block: the turn markers that follow it (seen on every model)."""

_PREFIXES_REMEMBERED = 40_000
_CHANGES_REMEMBERED = 4_096
_POSITIONS_REMEMBERED = 100_000
_SETTLED_REMEMBERED = 4_000


class _Settled(msgspec.Struct, eq=False):
    """A prompt's lengths up to and including an anchor.

    `exact` is how many positions end with the last exact anchor. Those after it hold as long as they fit in
    before what follows: `refused` is the least that did not. `changes` is how many changes were heard of.
    """

    prefixes: Sequence[Digest] = ()
    sizes: Sequence[float] = ()
    ends: list[int] = []
    exact: int = 0
    refused: float = inf
    changes: int = 0

    @property
    def last(self) -> int:
        """Tokens up to the anchor."""
        return self.ends[-1] if self.ends else 0


class _Anchor(msgspec.Struct, frozen=True, gc=False):
    """A position whose length is known; the other fields are those of `_Settled`, were it to end here.

    `sure` says that nothing can come between this anchor and those before it but what is learned later.
    """

    position: int
    tokens: int
    exact: int
    refused: float
    sure: bool


class Lengths:
    """Prefix lengths learned from the bills of one source, in tokens."""

    def __init__(self) -> None:
        self._known: dict[Digest, int] = {}
        self._about: dict[Digest, int] = {}
        self._changes: list[tuple[int | None, Digest]] = []
        self._forgotten = 0
        self._settled: OrderedDict[Digest, _Settled] = OrderedDict()
        self._positions = 0

    def ends(self, prompt: Prompt, sizes: Sequence[float], total: int) -> list[int]:
        """Tokens up to and including each position, for a prompt billed `total` in all.

        `sizes` are estimated tokens per position; they only shape the split between anchors.
        """
        before = self._find(prompt, sizes)
        anchors = None if before is None else self._anchors(before, prompt, total)
        if before is None or anchors is None:
            before = _Settled()
            anchors = self._anchors(before, prompt, total) or []
        ends, at = before.ends.copy(), before.last
        done = len(ends)
        for anchor in anchors:
            ends += _share(sizes[done : anchor.position + 1], at, anchor.tokens)
            done, at = anchor.position + 1, anchor.tokens
        self._settle(before, anchors, prompt, sizes, ends)
        return ends + _share(sizes[done:], at, max(at, total - CLOSING))

    def learn(self, prefix: Digest, tokens: int, position: int | None = None) -> None:
        """A bill showed that the prefix has `tokens` tokens; `position` is where it ends, if known."""
        if tokens > 0:
            before = _renew(self._known, prefix, tokens)
            if before != tokens:
                self._changed(prefix, position)

    def reveal(self, prompt: Prompt, usage: Usage) -> None:
        """Take from a bill the prefix lengths it shows whatever the cache held before.

        What was read and written ends at the last marker, and what was written for 1h at the last 1h marker.
        """
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        prefixes = prompt.prefixes
        shown: dict[int, int] = {}
        if prompt.markers and read + written:
            shown[max([marker.position for marker in prompt.markers])] = read + written
        long = usage.write_1h
        if long and usage.write_5m:
            hours = [marker.position for marker in prompt.markers if marker.ttl == "1h"]
            if hours:
                shown[max(hours)] = read + long
        changed: set[int] = set()
        for at, tokens in shown.items():
            if _renew(self._known, prefixes[at], tokens) != tokens:
                changed.add(at)
        if prefixes:
            about = self._about.get(prefixes[-1], max(read + written, usage.total_input - CLOSING))
            if _renew(self._about, prefixes[-1], about) is None:
                changed.add(len(prefixes) - 1)
        for at in changed:
            self._changed(prefixes[at], _place(prompt, at))

    def _anchors(self, before: _Settled, prompt: Prompt, total: int) -> list[_Anchor] | None:
        """The anchors after those of `before`, or None when what follows those would change them."""
        exact, sure_until = self._exact(prompt, len(before.ends), total)
        ceiling = exact[0][1] if exact else total
        if before.ends and not before.last <= ceiling < before.refused:
            return None
        return self._with_ends(before, prompt, [*exact, (len(prompt.blocks), total)], sure_until)

    def _exact(self, prompt: Prompt, start: int, total: int) -> tuple[list[tuple[int, int]], int]:
        """Known positions from `start` on, ascending in both place and length.

        And the first position after the last of them whose known length did not fit in: it may fit in later.
        """
        anchors: list[tuple[int, int]] = []
        known, prefixes = self._known, prompt.prefixes
        position = sure_until = len(prefixes)
        ceiling = total
        while position > start:
            position -= 1
            tokens = known.get(prefixes[position])
            if tokens is None:
                continue
            if tokens <= ceiling:
                anchors.append((position, tokens))
                ceiling = tokens
            elif not anchors:
                sure_until = position
        anchors.reverse()
        return anchors, sure_until

    def _with_ends(
        self, before: _Settled, prompt: Prompt, exact: list[tuple[int, int]], sure_until: int
    ) -> list[_Anchor]:
        """The exact anchors and, between them, where earlier prompts ended, if that fits in."""
        known, prefixes = self._about, prompt.prefixes
        anchors: list[_Anchor] = []
        low, place = before.last, len(before.ends)
        anchored, refused = before.exact, before.refused
        for position, tokens in exact:
            while place < position:
                about = known.get(prefixes[place])
                if about is not None and about > tokens:
                    refused = min(refused, about)
                elif about is not None and about >= low:
                    anchors.append(_Anchor(place, about, anchored, refused, place < sure_until))
                    low = about
                place += 1
            if position < len(prefixes):
                anchored, refused = position + 1, inf
                anchors.append(_Anchor(position, tokens, anchored, refused, sure=True))
            low, place = tokens, position + 1
        return anchors

    def _find(self, prompt: Prompt, sizes: Sequence[float]) -> _Settled | None:
        """The longest beginning of `prompt` that was worked out before and still holds."""
        settled, prefixes = self._settled, prompt.prefixes
        position = len(prefixes) if settled else 0
        while position:
            found = settled.get(prefixes[position - 1])
            if found is not None and self._holds(found, position, sizes):
                return found
            position -= 1
        return None

    def _holds(self, found: _Settled, length: int, sizes: Sequence[float]) -> bool:
        since = found.changes - self._forgotten
        if since < 0 or len(found.ends) != length or found.sizes != sizes[:length]:
            return False
        prefixes = found.prefixes
        for place, prefix in self._changes[since:]:
            changed = prefix in prefixes if place is None else place < length and prefixes[place] == prefix
            if changed:
                return False
        return True

    def _changed(self, prefix: Digest, place: int | None) -> None:
        self._changes.append((place, prefix))
        if len(self._changes) > _CHANGES_REMEMBERED:
            self._forgotten += _CHANGES_REMEMBERED // 2
            del self._changes[: _CHANGES_REMEMBERED // 2]

    def _settle(
        self,
        before: _Settled,
        anchors: list[_Anchor],
        prompt: Prompt,
        sizes: Sequence[float],
        ends: list[int],
    ) -> None:
        """Remember the lengths up to the last anchor that can be relied on."""
        if before.ends:
            self._forget(before)
        while anchors and not anchors[-1].sure:
            anchors.pop()
        if anchors:
            last = anchors[-1]
            length = last.position + 1
            prefixes = prompt.prefixes[:length]  # what follows may be long, and is not what is remembered
            before = _Settled(prefixes, sizes[:length], ends[:length], last.exact, last.refused)
        if not before.ends:
            return
        before.changes = self._forgotten + len(self._changes)
        settled, length = self._settled, len(before.ends)
        key = before.prefixes[length - 1]
        if key in settled:
            self._forget(settled[key])
        settled[key] = before
        self._positions += length
        while len(settled) > _SETTLED_REMEMBERED or (
            self._positions > _POSITIONS_REMEMBERED and len(settled) > 1
        ):
            self._forget(next(iter(settled.values())))

    def _forget(self, settled: _Settled) -> None:
        del self._settled[settled.prefixes[len(settled.ends) - 1]]
        self._positions -= len(settled.ends)


def shared_out(sizes: Sequence[float], total: int) -> list[int]:
    """Tokens up to and including each position of a prompt of `total` in all, where no bill has shown any."""
    return _share(sizes, 0, max(0, total - CLOSING))


def _renew(table: dict[Digest, int], prefix: Digest, tokens: int) -> int | None:
    """Set what a prefix has, and say what it had; of too many the one that was shown longest ago goes."""
    before = table.pop(prefix, None)
    table[prefix] = tokens
    forget_oldest(table, _PREFIXES_REMEMBERED)
    return before


def _place(prompt: Prompt, position: int) -> int | None:
    """Where a prefix ends in every prompt that has it; tools outside the chain have no place of their own."""
    return None if prompt.blocks[position].section == "tools" else position


def _share(sizes: Sequence[float], low: int, high: int) -> list[int]:
    """Running totals from `low` (exclusive) to `high` (the last one), in proportion to `sizes`."""
    whole = sum(sizes)
    if not whole:
        return [high] * len(sizes)
    span, run = high - low, 0.0
    totals: list[int] = []
    for size in sizes[:-1]:
        run += size
        totals.append(low + round(span * run / whole))
    totals.append(high)
    return totals
