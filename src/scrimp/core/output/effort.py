"""How much effort a reply is worth, by a table of the user: decided once for a conversation, and kept.

Effort is part of what the messages are cached by ("Prompt caching", what invalidates the cache), so a switch
in the middle of a conversation has its whole history written anew. It is made there only where the history
has to be written anew anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from itertools import takewhile
from typing import Any

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.levers import Step
from scrimp.core.prompt import Digest
from scrimp.errors import InputError
from scrimp.wire.request import Body

__all__ = ["LEVELS", "Efforts"]

LEVELS = ("low", "medium", "high", "xhigh", "max")
_MOST_BETWEEN_TOOLS = ("low", "medium", "high")
_CONVERSATIONS = 4_096
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Efforts:
    """Efforts by agent, task type or run, and what was decided for conversations under way."""

    def __init__(self, table: Mapping[str, str]) -> None:
        """Raises `InputError` for a level that there is not."""
        for name, level in table.items():
            if level not in LEVELS:
                raise InputError(f"effort of {name!r}: {level!r} is no level; there are {', '.join(LEVELS)}")
        self._table = dict(table)
        self._decided: dict[Digest, str] = {}

    def of(self, step: Step) -> str | None:
        """The effort to set in this step; None where it stays as its caller wrote it."""
        if not self._table or _says_effort(step.body):
            return None
        wanted = self._wanted(step)
        root = _root(step) if wanted is not None or self._decided else None
        if root is None:
            return None
        decided = self._decided.get(root)
        if decided is None and wanted is not None:
            decided = wanted if _begins(step.body) or not _costs(step, wanted) else ""
        if decided is None:
            return None
        self._decided[root] = self._decided.pop(root, decided)
        forget_oldest(self._decided, _CONVERSATIONS)
        return decided if decided and _takes(step, decided) else None

    def _wanted(self, step: Step) -> str | None:
        names = (step.tags.agent, step.tags.task_type, *step.tags.run[-1:])
        level = next((self._table[name] for name in names if name in self._table), None)
        if level is None or not _takes(step, level):
            return None
        return None if level == (step.model.features.default_effort or "high") else level


def with_effort(body: Body, level: str) -> dict[str, Any]:
    """The request with that effort."""
    config = body.get("output_config")
    return {**body, "output_config": {**(config if isinstance(config, Mapping) else {}), "effort": level}}


def _says_effort(body: Body) -> bool:
    config = body.get("output_config")
    return isinstance(config, Mapping) and config.get("effort") is not None


def _takes(step: Step, level: str) -> bool:
    """Whether the model takes that effort in such a request ("Effort", "Adaptive thinking")."""
    thinking = step.body.get("thinking")
    between = isinstance(thinking, Mapping) and thinking.get("type") == "between_tools"
    return level in step.model.features.effort and (not between or level in _MOST_BETWEEN_TOOLS)


def _begins(body: Body) -> bool:
    return not any(_role(message) == "assistant" for message in body.get("messages") or ())


def _costs(step: Step, level: str) -> bool:
    """Whether the step's input would cost more with that effort than as it stands, as far as can be told."""
    own, other = step.look(step.body), step.look(with_effort(step.body, level))
    if own is None or other is None:
        return True
    return other.plan.input_cost.mid > own.plan.input_cost.mid


def _root(step: Step) -> Digest | None:
    """What a conversation is known by: whose it is, and all that was said before its first answer."""
    messages, metadata = step.body.get("messages"), step.body.get("metadata")
    if not isinstance(messages, list):
        return None
    before = [_said(message) for message in takewhile(lambda one: _role(one) != "assistant", messages)]
    account = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    try:
        said = _encode((step.model.id, step.tags.label, step.tags.user, account, before))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return blake2b(said, digest_size=16).digest()


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, Mapping) else None


def _said(message: Any) -> Any:
    """A message without its markers, for which a text may have become a list of one."""
    content = message.get("content") if isinstance(message, Mapping) else None
    listed = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return _role(message), _unmarked(listed)


def _unmarked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value
