"""Where a conversation is parted: what goes into the session state, and what stays as it is.

The cut is `scrimp.trim`'s, worked out without the session state that earlier cuts left behind: pairs stay
whole, the task and the last turns stay, and what the API binds together is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.chains import said_of
from scrimp.core.summarize.obligations import Obligation, found_in, together
from scrimp.core.summarize.state import State, is_state, read_state, written
from scrimp.core.tokens.estimator import Estimator
from scrimp.core.trim import Kept, trimmed
from scrimp.facts.model import Model
from scrimp.wire.request import Block, message_blocks

__all__ = ["Limits", "Parted", "Sizes", "length", "parted", "parted_again"]

Message = Mapping[str, Any]

_WORTH = 0.5
"""The most that a session state may be of what it stands for; what is longer saves too little for a loss."""


class Limits(msgspec.Struct, frozen=True):
    """Beyond `trigger` tokens turns go until `keep` are left; the last `turns` stay."""

    trigger: int
    keep: int
    turns: int


class Parted(msgspec.Struct, frozen=True):
    """A conversation and its parts, by index: `head` and `tail` stay, `gone` goes, `standing` stays of that.

    `before` is the session state that stood in it. `removed` tokens go, an earlier state included
    (estimated). `kept`: why nothing may be cut.
    """

    head: tuple[int, ...]
    gone: tuple[int, ...]
    standing: tuple[int, ...]
    tail: tuple[int, ...]
    before: State | None
    removed: int
    kept: Kept | None = None

    @property
    def cuts(self) -> bool:
        """Whether anything goes."""
        return bool(self.gone)

    def left(self, messages: Sequence[Any], state: Any) -> list[Any]:
        """The conversation that stays, with the message of its session state."""
        after = (messages[at] for at in (*self.standing, *self.tail))
        return [*(messages[at] for at in self.head), state, *after]

    def obliges(self, messages: Sequence[Message]) -> list[Obligation]:
        """What must not be lost of what goes, and of what an earlier state held."""
        known = self.before.obligations if self.before else []
        return together(known, found_in(messages[at] for at in self.gone))

    def extracted(self, obligations: Sequence[Obligation]) -> str:
        """The session state that costs no call: what was said, word for word."""
        return written(obligations, self.before.words if self.before else "")

    def pays(self, state: str, sizes: Sizes) -> bool:
        """Whether the state is so much shorter than what it stands for."""
        return length([{"role": "user", "content": state}], sizes) <= _WORTH * self.removed


class Sizes:
    """How many tokens blocks are for a model (estimated), each counted once however often it comes."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._estimator = Estimator(model)

    def __call__(self, block: Block) -> float:
        """Tokens of one block."""
        return self._estimator.block_size(block, said_of(block.value))


def parted(messages: Sequence[Message], sizes: Sizes, limits: Limits) -> Parted:
    """What of a conversation goes. Raises RequestError for what is no list of messages."""
    state = next((at for at, message in enumerate(messages) if is_state(message)), None)
    places = [at for at in range(len(messages)) if at != state]
    found = trimmed(
        [messages[at] for at in places],
        sizes.model,
        trigger=limits.trigger,
        keep=limits.keep,
        keep_turns=limits.turns,
        size=sizes,
    )
    return Parted(
        head=tuple(places[: found.head]),
        gone=tuple(places[at] for at in range(found.head, found.cut) if at not in found.standing),
        standing=tuple(places[at] for at in found.standing),
        tail=tuple(places[found.cut :]),
        before=None if state is None else read_state(messages[state]),
        removed=found.removed + (0 if state is None else length([messages[state]], sizes)),
        kept=found.kept,
    )


def parted_again(messages: Sequence[Message], sizes: Sizes, limits: Limits, first: Parted) -> Parted:
    """What goes of a conversation whose first cut was `first`: that, and more once the rest is too long."""
    places = [*first.head, *first.standing, *range(first.tail[0], len(messages))]
    found = parted([messages[at] for at in places], sizes, limits)
    if not found.cuts:
        return msgspec.structs.replace(first, tail=tuple(range(first.tail[0], len(messages))))
    return msgspec.structs.replace(
        first,
        gone=(*first.gone, *(places[at] for at in found.gone)),
        standing=(*first.standing, *(places[at] for at in found.standing)),
        tail=tuple(places[at] for at in found.tail),
        removed=first.removed + found.removed,
    )


def length(messages: Sequence[Message], sizes: Sizes) -> int:
    """About how many tokens messages are."""
    return round(sum(sizes(block) for block in message_blocks(messages)))
