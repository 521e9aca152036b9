"""Conversations of a transcript as positions of prompts, without their texts.

Which call extends which is recorded, so a position needs no text to have an identity: its digest follows from
the call that brought it, and two prompts share a prefix exactly when one was built on the other. Where each
position ends, in tokens, is read off the bills of the calls.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from scrimp.core.continuity import BYTES_PER_TOKEN
from scrimp.core.lengths import CLOSING
from scrimp.core.whatif.regret_needles import NEEDLES, NOTHING
from scrimp.traces.claude_code import ANSWER_BYTES_PER_TOKEN, RESULT_BYTES_PER_TOKEN
from scrimp.wire.request import Block, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scrimp.core.prompt import Digest
    from scrimp.traces.transcript_calls import NewInput, Reply, ToolPart
    from scrimp.wire.response import Usage

__all__ = ["History", "Part", "Place", "answer_parts", "cached_end", "input_parts"]

_UNMARKABLE = ("thinking",)
_VALUES: dict[str, Any] = {}
_WRAPPING = 12
"""Tokens around the content of a block."""


class Part(msgspec.Struct, frozen=True):
    """A block of a message before its tokens are known: `weight` is about how many (None: what others leave).

    `value` has the fields of a content block as far as they are known without its text.
    """

    kind: str
    value: Any
    weight: float | None


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

    `front` counts the opaque positions it begins with. `digests` name each position whatever precedes it,
    `bases` the prefix that ends with it, `prefixes` that prefix under the model; `ends` are tokens up to and
    including each position, `sizes` the tokens of each.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.front = 0
        self.blocks: list[Block] = []
        self.digests: list[Digest] = []
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

    def add_message(self, role: str, parts: Sequence[Part], name: str, end: int) -> None:
        """Add a message whose blocks share the tokens up to `end` by their weights."""
        start = self._end
        ends = _shared(parts, max(end - start, 0))
        for number, part in enumerate(parts):
            path = ("messages", self._messages, "content", number)
            block = Block(
                path,
                "messages",
                role,
                part.kind,
                part.value,
                None,
                markable=part.kind not in _UNMARKABLE,
                message=self._messages,
            )
            self._append(block, f"{name} {role} {number}", start + ends[number])
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
            other._add(self.blocks[number], self.digests[number], base, scaled[number])
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
        digest = _mix(b"", name)
        self._add(block, digest, _mix(self.bases[-1] if self.bases else b"", name), end)

    def _add(self, block: Block, digest: Digest, base: Digest, end: int) -> None:
        self.digests.append(digest)
        self.sizes.append(end - self._end)
        self.blocks.append(block)
        self.bases.append(base)
        self.prefixes.append(_mix(base, self.model))
        self.ends.append(end)


def cached_end(usage: Usage) -> int:
    """Tokens up to the last marker as billed; where nothing was cached, up to the last block."""
    return usage.total_input - usage.input_tokens or max(usage.total_input - CLOSING, 1)


def answer_parts(reply: Reply) -> list[Part]:
    """An answer's blocks: thinking comes first and tool uses last, whatever was recorded between.

    How long thinking is, is not recorded: it has the tokens that nothing else explains.
    """
    texts = max(reply.blocks - reply.thinking_blocks - reply.tool_uses, 0)
    said = _reading(reply.needles)
    return [
        *_like("thinking", reply.thinking_blocks, None),
        *_like("text", texts, reply.text_bytes / ANSWER_BYTES_PER_TOKEN, said("")),
        *(
            Part(
                "tool_use",
                _told(_asking(use), said(use.id)),
                use.size / ANSWER_BYTES_PER_TOKEN + _WRAPPING,
            )
            for use in reply.uses
        ),
    ]


def _asking(use: ToolPart) -> dict[str, Any]:
    """A tool use without its input."""
    return {
        "type": "tool_use",
        "id": use.id,
        "name": use.name,
        "asked": use.digest,
        "subject": use.subject,
    }


def input_parts(new: NewInput) -> list[Part]:
    """The blocks that came in, results before texts; at least one."""
    said = _reading(new.needles)
    results = [
        Part(
            "tool_result",
            _told(
                {"type": "tool_result", "tool_use_id": one.id, "name": one.name, "said": one.digest},
                said(one.id),
            ),
            one.size / RESULT_BYTES_PER_TOKEN + _WRAPPING,
        )
        for one in new.results[: new.blocks]
    ]
    texts = max(new.blocks - len(results), 0 if results else 1)
    return [*results, *_like("text", texts, new.text_bytes / BYTES_PER_TOKEN, said(""))]


def _like(
    kind: str, count: int, tokens: float | None, needles: frozenset[int] | None = None
) -> Iterable[Part]:
    """Blocks of one kind that have `tokens` among them."""
    weight = None if tokens is None or not count else tokens / count + 1.0
    return (Part(kind, _told(_value(kind), needles), weight) for _ in range(count))


def _reading(needles: Mapping[str, frozenset[int]] | None) -> Callable[[str], frozenset[int] | None]:
    """What is known of a message's part: None where the needles were not asked for."""
    return lambda use: None if needles is None else needles.get(use, NOTHING)


def _told(value: Any, needles: frozenset[int] | None) -> Any:
    return value if needles is None else {**value, NEEDLES: needles}


def _shared(parts: Sequence[Part], span: int) -> list[int]:
    """Where each part ends when they share `span` tokens."""
    known = sum([part.weight for part in parts if part.weight is not None])
    others = sum([part.weight is None for part in parts])
    left = max(span - known, 0.0) / others if others else 0.0
    weights = [left if part.weight is None else part.weight for part in parts]
    whole = sum(weights) or 1.0
    return [round(span * reached / whole) for reached in accumulate(weights)]


def _value(kind: str) -> Any:
    return _VALUES.setdefault(kind, {"type": kind})


def _mix(base: Digest, name: str) -> Digest:
    return blake2b(b"%b\0%b" % (base, name.encode("utf-8", "surrogatepass")), digest_size=16).digest()
