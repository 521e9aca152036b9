"""A request as the model reads it: since its last summary, with what is cleared taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from scrimp.emulator.asked import Asked
from scrimp.emulator.context.binding import Bound, check
from scrimp.emulator.context.clearing import clear
from scrimp.emulator.context.compaction import since_compaction
from scrimp.emulator.context.edits import Compact, Edits, read_edits
from scrimp.emulator.refusals import Refusal

__all__ = ["Context", "Rendered", "render"]

_MOST_CLEARED = 100_000

Tokens = Callable[[Asked], int]


class Context(msgspec.Struct):
    """What the API remembers of the histories of one workspace: thinking it gave, tool uses it cleared."""

    bound: dict[str, Bound] = msgspec.field(default_factory=dict)
    cleared: dict[str, None] = msgspec.field(default_factory=dict)

    def forget(self, ids: frozenset[str]) -> None:
        """Tool uses whose results are gone from now on."""
        self.cleared.update(dict.fromkeys(ids))
        while len(self.cleared) > _MOST_CLEARED:
            del self.cleared[next(iter(self.cleared))]


class Rendered(msgspec.Struct, frozen=True):
    """A request as the model reads it.

    `original` is how many tokens it had before anything was cleared, `applied` and `transformations` what the
    answer says was done, `gone` the tool uses that are cleared, `compact` the summing up it asks for.
    """

    asked: Asked
    original: int | None = None
    applied: list[dict[str, Any]] = []
    transformations: list[dict[str, Any]] = []
    gone: frozenset[str] = frozenset()
    compact: Compact | None = None


def render(asked: Asked, context: Context, tokens: Tokens) -> Rendered | Refusal:
    """The request as the model reads it, or why it is refused; `tokens` measures a request."""
    checked = check(asked, context.bound)
    if isinstance(checked, Refusal):
        return checked
    edits = read_edits(asked)
    edits = Edits() if isinstance(edits, Refusal) else edits  # they were read before
    read = _with(asked, since_compaction(checked.messages))
    if edits.tools is None and edits.thinking is None:
        original = tokens(read) if edits.compact is not None else None
        return Rendered(read, original, [], checked.transformations, compact=edits.compact)
    cleared = clear(
        read.messages, edits, frozenset(context.cleared), lambda messages: tokens(_with(read, messages))
    )
    return Rendered(
        _with(read, cleared.messages),
        tokens(read),
        cleared.applied,
        checked.transformations,
        cleared.gone,
        edits.compact,
    )


def _with(asked: Asked, messages: list[dict[str, Any]]) -> Asked:
    if messages is asked.messages:
        return asked
    return msgspec.structs.replace(asked, body={**asked.body, "messages": messages})
