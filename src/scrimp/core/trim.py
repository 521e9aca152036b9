"""Old turns of a conversation left out, so that what is sent stays valid and what was written stays readable.

The cut is worked out from the conversation's beginning, step by step, from what each step could see. So a
history gives the same cut again and again while it grows, messages that stay are left as they are, and a
prefix that was written to the cache is read until the next cut, which comes seldom and takes much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

import msgspec

from scrimp.core.tokens.estimator import Estimator
from scrimp.errors import RequestError
from scrimp.facts.model import Model
from scrimp.wire.request import Block, message_blocks

__all__ = ["WHY_KEPT", "Kept", "Trimmed", "trimmed"]

Message = Mapping[str, Any]
Kept = Literal["bound thinking", "compaction"]
"""Why nothing may be cut: thinking is bound to what was before it, or the API holds the beginning itself."""

WHY_KEPT: Mapping[Kept, str] = {
    "bound thinking": (
        "this model binds its thinking to everything before it, and the API would refuse what is left"
    ),
    "compaction": "a compaction block stands for the beginning, which the API holds",
}


class Trimmed(msgspec.Struct, frozen=True):
    """What is left: the first `head` messages, the `standing` ones after them, and those from `cut` on.

    Standing messages are the system messages among what was cut: they hold for all that follows. `removed` is
    the length of what is gone in tokens (estimated); `kept` says why a conversation that is too long was left
    as it is. `before` is what would be left without the cut that this very step makes (None: it makes none).
    """

    head: int
    cut: int
    standing: tuple[int, ...] = ()
    removed: int = 0
    kept: Kept | None = None
    before: Trimmed | None = None

    def left(self, messages: Sequence[Any]) -> list[Any]:
        """The messages that are left of these."""
        return [*messages[: self.head], *(messages[at] for at in self.standing), *messages[self.cut :]]


class _History(msgspec.Struct, frozen=True):
    """A conversation: where it may be cut, where its requests ended and its answers began.

    `before` has the tokens before each message and in all, `standing` those of system messages among them.
    """

    head: int
    places: Sequence[int]
    requests: Sequence[int]
    answers: Sequence[int]
    before: Sequence[float]
    standing: Sequence[float]

    def left(self, cut: int, end: int) -> float:
        """Tokens of the first `end` messages with those before `cut` gone."""
        gone = self.before[cut] - self.before[self.head]
        return self.before[end] - gone + self.standing[cut] - self.standing[self.head]


def trimmed(
    messages: Sequence[Message],
    model: Model,
    *,
    trigger: int,
    keep: int,
    keep_turns: int,
    size: Callable[[Block], float] | None = None,
) -> Trimmed:
    """Where to cut a conversation that has grown beyond `trigger` tokens so that `keep` are left.

    The messages before the first answer and the last `keep_turns` answers with what followed them stay
    whatever their length. `size` gives a block's tokens, by default the estimate for the model. Raises
    RequestError for what is no list of messages.
    """
    history = _read(messages, size or Estimator(model).block_size)
    before = cut = history.head
    for end in history.requests:
        before, cut = cut, _next_cut(history, cut, end=end, trigger=trigger, keep=keep, keep_turns=keep_turns)
    if cut == history.head:
        return Trimmed(cut, cut)
    kept = _untouchable(messages, model)
    if kept is not None:
        return Trimmed(history.head, history.head, kept=kept)
    earlier = None if before == cut else _cut_at(history, messages, before)
    return msgspec.structs.replace(_cut_at(history, messages, cut), before=earlier)


def _cut_at(history: _History, messages: Sequence[Message], cut: int) -> Trimmed:
    end = len(messages)
    standing = tuple(at for at in range(history.head, cut) if messages[at].get("role") == "system")
    removed = round(history.before[end] - history.left(cut, end))
    return Trimmed(history.head, cut, standing, removed)


def _next_cut(history: _History, cut: int, *, end: int, trigger: int, keep: int, keep_turns: int) -> int:
    """Where the conversation up to message `end` begins, given where it began before."""
    if history.left(cut, end) <= trigger:
        return cut
    answers = [place for place in history.answers if cut <= place < end]
    if keep_turns > len(answers):
        return cut
    latest = answers[-keep_turns] if keep_turns else end - 1
    allowed = [place for place in history.places if cut < place <= latest]
    short = (place for place in allowed if history.left(place, end) <= keep)
    return next(short, allowed[-1] if allowed else cut)


def _read(messages: Sequence[Message], size: Callable[[Block], float]) -> _History:
    sizes = [0.0] * len(messages)
    for block in message_blocks(messages):
        sizes[block.message] += size(block)
    roles = [str(message.get("role")) for message in messages]
    user = roles.index("user") if "user" in roles else 0
    head = next((at for at in range(user, len(roles)) if roles[at] == "assistant"), len(roles))
    ends = range(head + 1, len(roles) + 1)
    standing = [size if role == "system" else 0.0 for size, role in zip(sizes, roles, strict=True)]
    return _History(
        head,
        places=_places(messages, roles, head),
        requests=[at for at in ends if at == len(roles) or roles[at] == "assistant"],
        answers=[at for at in range(head, len(roles)) if _begins_answer(roles, at)],
        before=list(accumulate(sizes, initial=0.0)),
        standing=list(accumulate(standing, initial=0.0)),
    )


def _begins_answer(roles: Sequence[str], at: int) -> bool:
    return roles[at] == "assistant" and (at == 0 or roles[at - 1] != "assistant")


def _places(messages: Sequence[Message], roles: Sequence[str], head: int) -> list[int]:
    """The answers that may come first behind the head: no result is parted from its call by it.

    It is always an answer, so that the head of what is left is the head of the whole.
    """
    asked_at: dict[str, int] = {}
    latest_result = [0] * (len(messages) + 1)
    for at, message in enumerate(messages):
        for block in _blocks(message):
            kind = str(block.get("type"))
            if kind.endswith("tool_use"):  # the provider's own tools answer in a later turn as well
                asked_at[str(block.get("id"))] = at
            elif kind.endswith("tool_result"):
                begun = asked_at.get(str(block.get("tool_use_id")), at)
                latest_result[begun + 1] = max(latest_result[begun + 1], at)
    torn_until = list(accumulate(latest_result, max))  # by place: the last result of a call before it
    return [at for at in range(head + 1, len(messages)) if _begins_answer(roles, at) and torn_until[at] < at]


def _untouchable(messages: Sequence[Message], model: Model) -> Kept | None:
    """Why nothing may be cut. A model that binds its thinking may think at any later step, bound to what is
    left; and what is left changes with the next cut."""
    if any(block.get("type") == "compaction" for message in messages for block in _blocks(message)):
        return "compaction"
    return "bound thinking" if model.features.thinking_binding != "none" else None


def _blocks(message: Message) -> list[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return []
    if not isinstance(content, Sequence):
        raise RequestError("messages: content should be a text or a list of blocks")
    return [block for block in content if isinstance(block, Mapping)]
