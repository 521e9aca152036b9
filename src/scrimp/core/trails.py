"""Which prefixes went by lately, which prompt a new one takes up, and where conversations branch.

Most prompts extend one that was sent before. Some take up only the first part of it: agents that put a
reminder last and drop it again go on without those blocks; questions about one shared document, or other
users of one agent, begin a conversation of their own there.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest, Prompt

__all__ = ["Join", "Trails"]

_PREFIXES_REMEMBERED, _DROPPING_REMEMBERED, _KINDS_REMEMBERED = 80_000, 10_000, 1_000
_DROPS_REMEMBERED = 8


class Join(msgspec.Struct, frozen=True, gc=False):
    """How far a prompt takes up an earlier one.

    `position` is the last one in common, `owner` the prompt that last had that prefix, at `at` (epoch
    seconds); `dropped` positions followed there. `goes_on` says that the new prompt is the owner's next step:
    nothing the model saw was left out but what stood after the last question.
    """

    position: int
    owner: Digest
    dropped: int
    goes_on: bool
    at: float


class _Trail(msgspec.Struct, frozen=True, gc=False):
    """A prompt that went by: its whole prefix, its last position, the last that is not the user's (no such
    one before `replied`), and when."""

    owner: Digest
    end: int
    replied: int
    at: float


class Trails:
    """Prefixes of the prompts seen lately, bounded in number."""

    def __init__(self) -> None:
        self._last: dict[Digest, _Trail] = {}  # the prompt that last had a prefix
        self._branches: dict[Digest, None] = {}
        self._last_drop: dict[Digest, int] = {}
        self._drops: dict[Hashable, deque[int]] = {}

    def take_up(self, prompt: Prompt, now: float, *, cut: bool = False) -> Join | None:
        """Remember `prompt` and say which one it takes up; the cost is that of its new positions.

        `cut` says that it goes on with a conversation of which something was taken out: none parts there.
        """
        join = self.seen(prompt)
        start = 0 if join is None else join.position
        end = replied = len(prompt.blocks) - 1
        while replied > start and prompt.blocks[replied].role == "user":
            replied -= 1
        trail = _Trail(prompt.prefixes[end], end, replied, now)
        self._last.update(dict.fromkeys(reversed(prompt.prefixes[start:]), trail))
        if join is not None and not join.goes_on and not cut:
            self._branches[prompt.prefixes[join.position]] = None
            forget_oldest(self._branches, _PREFIXES_REMEMBERED)
        forget_oldest(self._last, _PREFIXES_REMEMBERED)
        return join

    def seen(self, prompt: Prompt) -> Join | None:
        """Which one `prompt` takes up, as `take_up` says, without remembering it."""
        position = len(prompt.prefixes)
        for trail in map(self._last.get, reversed(prompt.prefixes)):
            position -= 1
            if trail is not None:
                goes_on = _goes_on(prompt, position, trail)
                return Join(position, trail.owner, trail.end - position, goes_on, trail.at)
        return None

    def branches(self, prompt: Prompt, upto: int) -> list[int]:
        """Positions up to `upto` where conversations were seen to part."""
        known = self._branches
        return [n for n, prefix in enumerate(prompt.prefixes[: upto + 1]) if prefix in known]

    def dropped(self, kind: Hashable, prompt: Prompt, join: Join) -> None:
        """`prompt` is the next step of the conversation it joined: remember how much it dropped."""
        self._last_drop[prompt.prefixes[-1]] = join.dropped
        forget_oldest(self._last_drop, _DROPPING_REMEMBERED)
        drops = self._drops.get(kind)
        if drops is None:
            drops = self._drops[kind] = deque(maxlen=_DROPS_REMEMBERED)
            forget_oldest(self._drops, _KINDS_REMEMBERED)
        drops.append(join.dropped)

    def usually_dropped(self, kind: Hashable, prompt: Prompt) -> int:
        """How many last positions the next step will drop: as many as this one did, or as its kind does."""
        own = self._last_drop.get(prompt.prefixes[-1]) if prompt.blocks else 0
        if own is not None:
            return own
        drops = self._drops.get(kind)
        return Counter(drops).most_common(1)[0][0] if drops else 0


def _goes_on(prompt: Prompt, position: int, trail: _Trail) -> bool:
    """Whether a prompt that has so much of an earlier one answers what was asked there.

    The model's reply comes next, and what the earlier prompt had beyond was the user's alone.
    """
    if position <= prompt.static_end or position < trail.replied:
        return False
    if position == trail.end:
        return True
    return position < len(prompt.blocks) - 1 and prompt.blocks[position + 1].role == "assistant"
