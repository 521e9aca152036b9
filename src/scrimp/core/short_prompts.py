"""What goes on with a prompt too short for the cache is mostly too short as well: that need not be measured.

Counting the tokens of a short prompt takes longer than all else that is done for it. What a bill has shown of
its beginning, and that no byte of what came since has more than one token, is often enough to know.
"""

from __future__ import annotations

from typing import NamedTuple

from scrimp.core.cache import CacheRules
from scrimp.core.forgetting import forget_oldest
from scrimp.core.lengths import CLOSING
from scrimp.core.plan import Range
from scrimp.core.planned import Planned
from scrimp.core.prompt import Digest, Prompt
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.core.worst_text import as_json, spelled_bytes

__all__ = ["Outlook", "ShortPrompts"]

_REMEMBERED = 20_000
_AROUND_BLOCK = 16
"""Tokens rendered around a block, beside the bytes of its JSON."""

_BYTES_PER_TOKEN = 5
"""Bytes of a block's JSON for each of its tokens, about: names of fields are among them."""

_BOUNDED = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "tool_result"})
"""Kinds of blocks that have no more tokens than bytes."""


class Outlook(NamedTuple):
    """Tokens of a prompt that nobody measured, and of its tools and system: `total.high` is sure."""

    total: Range
    static: int

    @property
    def sized(self) -> Sized:
        """What a prompt is measured to be that was not measured."""
        return Sized((), (), Estimate(self.total.low, self.total.mid, self.total.high))

    def ends(self, prompt: Prompt) -> list[int]:
        """About where each position ends, as if all of tools and system, and all messages, were alike."""
        begun = prompt.static_end + 1
        said = len(prompt) - begun
        rest = max(0, self.total.mid - CLOSING - self.static)
        return [
            *(self.static * number // begun for number in range(1, begun + 1)),
            *(self.static + rest * number // said for number in range(1, said + 1)),
        ]


class ShortPrompts:
    """How long prompts too short for the cache were billed to be."""

    def __init__(self) -> None:
        self._billed: dict[Digest, tuple[int, int]] = {}

    def learn(self, planned: Planned, total: int) -> None:
        """A prompt was billed `total` tokens; only for requests that the API does not shorten."""
        prefixes, static = planned.prompt.prefixes, planned.static_tokens
        if prefixes and total > 0:
            if planned.asked.sized.content:  # the share was measured, and the whole is known now
                static = static * total // max(1, planned.plan.total.mid)
            self._billed.pop(prefixes[-1], None)
            self._billed[prefixes[-1]] = total, static
            forget_oldest(self._billed, _REMEMBERED)

    def outlook(self, prompt: Prompt, rules: CacheRules) -> Outlook | None:
        """How long `prompt` is, where it surely is too short and asks for no entry; else None."""
        if prompt.markers or prompt.automatic is not None:
            return None
        table, prefixes = self._billed, prompt.prefixes
        for position in range(len(prefixes) - 1, prompt.static_end, -1):
            billed = table.get(prefixes[position])
            if billed is not None:
                total, static = billed
                added = _most_added(prompt, position + 1, rules.minimum - total)
                high = total + added
                mid = total + added // _BYTES_PER_TOKEN
                return Outlook(Range(total, mid, high), static) if high < rules.minimum else None
        return None


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
        added += spelled_bytes(encoded, enough) + _AROUND_BLOCK
        if added >= enough:
            break
    return added
