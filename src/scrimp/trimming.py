"""`scrimp.trim(…)`: old turns left out where the provider does not do it.

messages = scrimp.trim(messages, model="claude-haiku-4-5", trigger=60_000, keep=30_000)
client.messages.create(model="claude-haiku-4-5", messages=messages, …)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.core.trim import WHY_KEPT, trimmed
from scrimp.errors import RequestError, ScrimpWarning
from scrimp.facts.models import default

__all__ = ["readable", "trim"]

_TRIGGER = 100_000


def trim(
    messages: Sequence[Any],
    *,
    model: str,
    trigger: int = _TRIGGER,
    keep: int | None = None,
    keep_turns: int = 3,
) -> list[Any]:
    """The messages without old turns, once they have grown beyond `trigger` tokens.

    Tokens are estimated, of messages alone: tools and system are not counted.

    Then whole turns go, an answer and what followed it, the oldest first, until `keep` tokens are left (half
    of `trigger` unless given). What comes before the first answer stays, the task that is, and so do the last
    `keep_turns` turns. Tool calls are never parted from their results, and messages that stay are the very
    same objects. System messages among what goes stay behind the task, since they hold for what follows.
    Called with the whole history every time or with its own result, it cuts at the same places:
    what was written to the cache stays readable until the next cut.

    Where cutting would break the request – thinking that is bound to its history, a compaction block – the
    messages come back as they are, with a `ScrimpWarning` that says why. Raises `RequestError` for what is no
    list of messages, and for limits that make no sense.
    """
    wanted = trigger // 2 if keep is None else keep
    if not 0 <= wanted <= trigger or keep_turns < 0:
        raise RequestError(
            f"trim: keep ({wanted:,}) should be between 0 and trigger ({trigger:,}), keep_turns 0 or more"
        )
    if isinstance(messages, (str, bytes)) or not isinstance(messages, Sequence):
        raise RequestError(f"messages: expected a list of messages, found {type(messages).__name__}")
    whole = list(messages)
    plain = [readable(message, at) for at, message in enumerate(whole)]
    found = trimmed(plain, default().resolve(model), trigger=trigger, keep=wanted, keep_turns=keep_turns)
    if found.kept is not None:
        warnings.warn(f"nothing was trimmed: {WHY_KEPT[found.kept]}", ScrimpWarning, stacklevel=2)
    return [*whole[: found.head], *(whole[at] for at in found.standing), *whole[found.cut :]]


def readable(message: Any, at: int) -> Mapping[str, Any]:
    """A message as plain values; the SDK's own blocks and messages are taken as they are sent.

    Raises `RequestError`.
    """
    plain = _plain(message)
    if not isinstance(plain, Mapping) or "role" not in plain or "content" not in plain:
        raise RequestError(f"messages.{at}: expected an object with role and content")
    content = plain["content"]
    if isinstance(content, str):
        return plain
    if not isinstance(content, Sequence):
        raise RequestError(f"messages.{at}.content: expected a text or a list of blocks")
    return {**plain, "content": [_plain(block) for block in content]}


def _plain(value: Any) -> Any:
    dump = getattr(value, "to_dict", None)  # what the SDK's models have
    return value if isinstance(value, Mapping) or dump is None else dump()
