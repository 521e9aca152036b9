"""What goes on with a prompt too short for the cache is mostly too short as well: that need not be measured.

Counting the tokens of a short prompt takes longer than all else that is done for it. What a bill has shown of
its beginning, and that no byte of what came since has more than one token, is often enough to know.

Of a conversation that begins, bills have shown its tools and system at most. How long its messages are can be
told well enough from their bytes: see `most_said`. Should they be longer after all, one request goes out
without a marker that might have been worth it, and its bill says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import overload

import msgspec

from scrimp.core.cache import CacheRules
from scrimp.core.forgetting import forget_oldest
from scrimp.core.lengths import CLOSING
from scrimp.core.plan import Range
from scrimp.core.planned import Planned
from scrimp.core.prompt import Digest, Prompt
from scrimp.core.reading_memory import Read
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.core.worst_text import as_json, spelled_bytes

__all__ = ["Outlook", "ShortPrompts", "most_said"]

_REMEMBERED = 20_000
_LOOKED_BACK = 16
"""Blocks that a step brings at most, mostly: who brings more is measured, as are long prompts."""

_AROUND_BLOCK = 16
"""Tokens rendered around a block, beside the bytes of its JSON."""

_BYTES_PER_TOKEN = 5
"""Bytes of a block's JSON for each of its tokens, about: names of fields are among them."""

_BYTES_PER_TOKEN_SAID = 4
"""Bytes of messages for each of their tokens, about, where nothing else is known of them."""

_SHARE_OFF = 4
"""By what part of it the share of a bill that is for no message may be more than it is estimated to be."""

_UNBOUNDED = 10**9

_BOUNDED = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "tool_result"})
"""Kinds of blocks that have no more tokens than bytes."""

_SAID = frozenset({"text", "tool_use", "tool_result"})
"""Kinds of blocks whose bytes tell how many tokens they have."""

_SEAL = b"signature"
"""What seals thinking, which is rendered seldom if at all."""

_SMALL = ascii_lowercase.encode()


class Outlook(msgspec.Struct, frozen=True, gc=False):
    """Tokens of a prompt that nobody measured, and of its tools and system.

    `total.high` is sure where it goes on with a prompt that was billed, and next to sure where it begins.
    """

    total: Range
    static: int

    @property
    def sized(self) -> Sized:
        """What a prompt is measured to be that was not measured."""
        return Sized((), (), Estimate(self.total.low, self.total.mid, self.total.high))

    def ends(self, prompt: Prompt) -> Ends:
        """About where each position ends, as if all of tools and system, and all messages, were alike."""
        begun, rest = prompt.static_end + 1, self.total.mid - CLOSING - self.static
        if rest < 0:
            rest = 0
        return Ends(self.static, begun, rest, len(prompt.blocks) - begun)


class Ends(Sequence[int]):
    """Where positions end that are alike, worked out for who asks: `static` tokens are shared out among those
    `begun` with, and then `rest` tokens among as many as are `said`."""

    __slots__ = ("_begun", "_rest", "_said", "_static")

    def __init__(self, static: int, begun: int, rest: int, said: int) -> None:
        self._static, self._begun, self._rest, self._said = static, begun, rest, said

    def __len__(self) -> int:
        return self._begun + self._said

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        if index == self._begun - 1 and self._begun:
            return self._static  # as everybody asks for
        count = self._begun + self._said
        if index.__class__ is not int and isinstance(index, slice):
            return list(map(self._end, range(1, count + 1)[index]))
        if not -count <= index < count:
            raise IndexError("beyond the end of the prompt")
        return self._end(index + 1 if index >= 0 else index + 1 + count)

    def _end(self, number: int) -> int:
        if number <= self._begun:
            return self._static * number // self._begun
        return self._static + self._rest * (number - self._begun) // self._said


class ShortPrompts:
    """How long prompts too short for the cache were billed to be, and what they began with."""

    def __init__(self) -> None:
        self._billed: dict[Digest, tuple[int, int]] = {}
        self._openings: dict[Digest, tuple[int, int]] = {}

    def learn(self, planned: Planned, total: int) -> None:
        """A prompt was billed `total` tokens; only for requests that the API does not shorten."""
        asked, static, table = planned.asked, planned.static_tokens, self._billed
        prefixes = asked.prompt.prefixes
        if not prefixes or total <= 0:
            return
        if asked.sized.content:  # the share was measured, and the whole is known now
            static = static * total // max(1, planned.plan.total.mid)
        if asked.opening is not None:
            self._learn_opening(planned, asked.opening, total, static)
        last = prefixes[-1]
        table.pop(last, None)
        table[last] = total, static
        forget_oldest(table, _REMEMBERED)

    def _learn_opening(self, planned: Planned, opening: Digest, total: int, static: int) -> None:
        """What is billed besides messages: the share that was measured, or what it can have been."""
        sized, foreseen, known = planned.asked.sized, planned.plan.total, self._openings
        if sized.content:
            said = sum(sized.content[planned.prompt.static_end + 1 :])
            besides = max(0, round(total * (1 - said / sized.estimate.mid)))
            known.pop(opening, None)
            known[opening] = besides, static
            forget_oldest(known, _REMEMBERED)
        elif not foreseen.low <= total <= foreseen.high and opening in known:
            besides = min(known[opening][0], total) + max(0, total - foreseen.high)
            known[opening] = besides, min(static, besides)

    def outlook(self, read: Read, rules: CacheRules) -> Outlook | None:
        """How long a prompt is, where it surely is too short and asks for no entry; else None."""
        prompt = read.prompt
        if prompt.markers or prompt.automatic is not None:
            return None
        table, prefixes = self._billed, prompt.prefixes
        last = len(prefixes) - 1
        before = max(prompt.static_end, last - _LOOKED_BACK)
        if last - before == _LOOKED_BACK and table.keys().isdisjoint(prefixes[before + 1 :]):
            return self._beginning(read, rules)  # long, as most are: that is sooner seen so
        for position in range(last, before, -1):
            billed = table.get(prefixes[position])
            if billed is not None:
                total, static = billed
                added = _most_added(prompt, position + 1, rules.minimum - total)
                high = total + added
                mid = total + added // _BYTES_PER_TOKEN
                return Outlook(Range(total, mid, high), static) if high < rules.minimum else None
        return self._beginning(read, rules)

    def _beginning(self, read: Read, rules: CacheRules) -> Outlook | None:
        """The same of a conversation that begins."""
        known, said = self._openings.get(read.opening or b""), read.said
        if known is None or said is None:
            return None
        besides, static = known
        most = besides + besides // _SHARE_OFF
        if most + len(said) // 2 >= rules.minimum:
            return None  # long: not worth a look
        high = most + most_said(read.prompt, said)
        mid = besides + len(said) // _BYTES_PER_TOKEN_SAID
        return Outlook(Range(besides, mid, high), static) if high < rules.minimum else None


def most_said(prompt: Prompt, said: bytes) -> int:
    """Tokens of the messages of `prompt`, encoded as `said`, at most, as far as any text met goes.

    Two small letters to a token and one byte of anything else are more tokens than any recorded conversation
    had, by a sixth and more: words have more letters to a token, and what has none (numbers, keys, base64,
    other scripts) has fewer small letters. No bound for what bytes do not bound.
    """
    if said.find(_SEAL) >= 0 or not all(
        block.kind in _SAID for block in prompt.blocks[prompt.static_end + 1 :]
    ):
        return _UNBOUNDED
    other = len(said.translate(None, _SMALL))
    return other + (len(said) - other) // 2


def _most_added(prompt: Prompt, start: int, enough: int) -> int:
    """Tokens of the blocks from `start` on, at most; no less than `enough` where they may have so many."""
    added = 0
    for block in prompt.blocks[start:]:
        if block.kind not in _BOUNDED:
            return enough
        if block.depth:
            continue  # a part of the block that follows
        encoded = as_json(block.value)
        if encoded is None:
            return enough
        added += (len(encoded) if encoded.isascii() else spelled_bytes(encoded, enough)) + _AROUND_BLOCK
        if added >= enough:
            break
    return added
