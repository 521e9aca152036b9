"""Conversations of a transcript as positions of prompts, without their texts.

Which call extends which is recorded, so a position needs no text to have an identity: its digest follows from
the call that brought it, and two prompts share a prefix exactly when one was built on the other. Where each
position ends, in tokens, is read off the bills of the calls.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from scrimp.core.lengths import CLOSING
from scrimp.wire.request import Block, Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scrimp.core.prompt import Digest
    from scrimp.traces.transcript_calls import NewInput, Reply
    from scrimp.wire.response import Usage

__all__ = ["History", "Place", "answer_kinds", "cached_end", "input_kinds"]

_UNMARKABLE = ("thinking",)
_VALUES: dict[str, Any] = {}


class Place(msgspec.Struct, frozen=True):
    """Where a call's prompt lies: the first `length` positions of `history`, its last marker at `tail`.

    `total` is the whole input in tokens.
    """

    history: History
    length: int
    tail: int
    total: int

    @property
    def end(self) -> int:
        """Tokens up to the last position."""
        return min(self.history.ends[self.length - 1], self.total)


class History:
    """The positions of one conversation under one model, growing call by call.

    `front` counts the opaque positions it begins with. `bases` are digests that no model is mixed into,
    `prefixes` those under the model; `ends` are tokens up to and including each position, `sizes` the tokens
    of each.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.front = 0
        self.blocks: list[Block] = []
        self.bases: list[Digest] = []
        self.prefixes: list[Digest] = []
        self.ends: list[int] = []
        self.sizes: list[int] = []
        self._messages = 0

    def __len__(self) -> int:
        return len(self.blocks)

    def add_hidden(self, section: Section, name: str, end: int) -> None:
        """Add an opaque block of tools or system that `name` and what precedes it identify."""
        kind = "tool" if section == "tools" else "text"
        block = Block((section, len(self)), section, "", kind, _value(kind), None, markable=True)
        self._append(block, name, max(end, self._end))
        self.front += 1

    def add_message(self, role: str, kinds: Sequence[str], name: str, end: int) -> None:
        """Add a message whose blocks share the tokens up to `end` evenly."""
        start = self._end
        span = max(end - start, 0)
        for number, kind in enumerate(kinds):
            path = ("messages", self._messages, "content", number)
            block = Block(
                path,
                "messages",
                role,
                kind,
                _value(kind),
                None,
                markable=kind not in _UNMARKABLE,
                message=self._messages,
            )
            self._append(block, f"{name} {role} {number}", start + round(span * (number + 1) / len(kinds)))
        self._messages += 1

    def forked(self, length: int) -> History:
        """A copy of the first `length` positions, to be extended in another way."""
        return self.rewritten(length, length, "", self.model, self.ends[length - 1] if length else 0)

    def rewritten(self, length: int, kept: int, name: str, model: str, end: int) -> History:
        """The first `length` positions, those from `kept` on with other content, ending at `end` tokens.

        Positions keep their number and their share of the tokens; another model reads all of them anew.
        """
        other = History(model)
        low = self.ends[kept - 1] if kept else 0
        scaled = self._scaled(
            kept if model == self.model else 0, length, low if model == self.model else 0, end
        )
        for number in range(length):
            label = name if number >= kept else None
            base = self.bases[number] if label is None else _mix(self.bases[number], label)
            other._add(self.blocks[number], base, scaled[number])
        other.front = min(self.front, length)
        other._messages = self._messages
        return other

    def position_at(self, tokens: int, length: int) -> int:
        """How many of the first `length` positions end within `tokens`."""
        return bisect_right(self.ends, tokens, hi=length)

    @property
    def _end(self) -> int:
        return self.ends[-1] if self.ends else 0

    def _scaled(self, first: int, length: int, low: int, end: int) -> list[int]:
        ends = self.ends[:length]
        if first >= length:
            return ends
        before, span = ends[-1] - low, max(end - low, 0)
        for number in range(first, length):
            ends[number] = low + round(span * (ends[number] - low) / before) if before > 0 else low
        return ends

    def _append(self, block: Block, name: str, end: int) -> None:
        self._add(block, _mix(self.bases[-1] if self.bases else b"", name), end)

    def _add(self, block: Block, base: Digest, end: int) -> None:
        self.sizes.append(end - self._end)
        self.blocks.append(block)
        self.bases.append(base)
        self.prefixes.append(_mix(base, self.model))
        self.ends.append(end)


def cached_end(usage: Usage) -> int:
    """Tokens up to the last marker as billed; where nothing was cached, up to the last block."""
    return usage.total_input - usage.input_tokens or max(usage.total_input - CLOSING, 1)


def answer_kinds(reply: Reply) -> list[str]:
    """Kinds of an answer's blocks: thinking comes first and tool uses last, whatever was recorded between."""
    texts = max(reply.blocks - reply.thinking_blocks - reply.tool_uses, 0)
    return [
        *_times("thinking", reply.thinking_blocks),
        *_times("text", texts),
        *_times("tool_use", reply.tool_uses),
    ]


def input_kinds(new: NewInput) -> list[str]:
    """Kinds of the blocks that came in, results before texts; at least one."""
    results = min(len(new.tools), new.blocks)
    return [*_times("tool_result", results), *_times("text", max(new.blocks - results, 0))] or ["text"]


def _times(kind: str, count: int) -> Iterable[str]:
    return (kind for _ in range(count))


def _value(kind: str) -> Any:
    return _VALUES.setdefault(kind, {"type": kind})


def _mix(base: Digest, name: str) -> Digest:
    return blake2b(b"%b\0%b" % (base, name.encode("utf-8", "surrogatepass")), digest_size=16).digest()
