"""A request as the model reads it: since its last summary, with what is cleared taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from scrimp.core.carry.edits import Compact, Edits
from scrimp.core.carry.history import Place, lengths_of
from scrimp.core.prompt import Prompt
from scrimp.emulator.asked import Asked
from scrimp.emulator.context.binding import Bound, check
from scrimp.emulator.context.clearing import clear
from scrimp.emulator.context.compaction import since_compaction
from scrimp.emulator.context.edits import read_edits
from scrimp.emulator.measure import PromptLength
from scrimp.emulator.refusals import Refusal

__all__ = ["Context", "Rendered", "render"]

Prompts = Callable[[Asked], tuple[Prompt, PromptLength]]


class Context(msgspec.Struct):
    """What the API remembers of the histories of one workspace: the thinking it gave."""

    bound: dict[str, Bound] = msgspec.field(default_factory=dict)


class Rendered(msgspec.Struct, frozen=True):
    """A request as the model reads it.

    `original` is how many tokens it had before anything was cleared, `applied` and `transformations` what the
    answer says was done, `compact` the summing up it asks for.
    """

    asked: Asked
    original: int | None = None
    applied: list[dict[str, Any]] = []
    transformations: list[dict[str, Any]] = []
    compact: Compact | None = None


def render(asked: Asked, context: Context, prompts: Prompts) -> Rendered | Refusal:
    """The request as the model reads it, or why it is refused; `prompts` reads and measures a request."""
    checked = check(asked, context.bound)
    if isinstance(checked, Refusal):
        return checked
    edits = read_edits(asked)
    edits = Edits() if isinstance(edits, Refusal) else edits  # they were read before
    read = _with(asked, since_compaction(checked.messages))
    if edits == Edits():
        return Rendered(read, transformations=checked.transformations)
    lengths = _Lengths(read, prompts)
    cleared = clear(read.messages, edits, lengths, thinking_kept=asked.model.features.thinking_kept)
    return Rendered(
        _with(read, cleared.messages),
        lengths.total(read.messages),
        cleared.applied,
        checked.transformations,
        edits.compact,
    )


class _Lengths:
    """Lengths of one request with other messages."""

    def __init__(self, asked: Asked, prompts: Prompts) -> None:
        self._asked = asked
        self._prompts = prompts

    def total(self, messages: list[dict[str, Any]]) -> int:
        """The whole prompt, in tokens."""
        return self._prompts(_with(self._asked, messages))[1].total

    def parts(self, messages: list[dict[str, Any]]) -> tuple[list[int], dict[Place, int]]:
        """The prompt up to the end of each message, and the tool results by where they stand."""
        prompt, length = self._prompts(_with(self._asked, messages))
        return lengths_of(prompt, length.ends, len(messages))


def _with(asked: Asked, messages: list[dict[str, Any]]) -> Asked:
    if messages is asked.messages:
        return asked
    return msgspec.structs.replace(asked, body={**asked.body, "messages": messages})
