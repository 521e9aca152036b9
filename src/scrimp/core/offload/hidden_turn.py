"""What one answer that an agent got stands for, and how it is put back in its place.

The blocks as the API gave them are put back, not as the agent sends them: what agents change (fields that are
null, texts joined or stripped) is not what the provider's cache and its signatures are about. The agent's own
markers go with them, and thinking that it leaves out stays out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import orjson

from scrimp.core.offload.fetch_tool import FETCH

__all__ = ["THINKING", "Block", "Round", "Turn", "blocks_of", "is_fetch", "said", "shown", "woven"]

Block: TypeAlias = dict[str, Any]

THINKING = frozenset({"thinking", "redacted_thinking"})
_MARKER = "cache_control"


class Round(msgspec.Struct):
    """One answer of the API: its content, and the results of the calls in it that were answered here."""

    content: list[Block]
    results: list[Block] = []


class Turn(msgspec.Struct):
    """The rounds that the agent got as one answer. The results of the last go out with its next message.

    `unbound`: the API does not take the thinking up to here any more.
    """

    rounds: list[Round]
    unbound: bool = False

    @property
    def pending(self) -> list[Block]:
        """The results that have not gone out."""
        return self.rounds[-1].results if self.rounds else []

    @property
    def waits(self) -> bool:
        """Whether nothing but those results was missing for it to go on."""
        return bool(self.pending) and not _calls(self.rounds[-1].content)

    @property
    def shown(self) -> list[Block]:
        """What the agent got."""
        return [block for one in self.rounds for block in shown(one.content)]


def is_fetch(block: Mapping[str, Any]) -> bool:
    """Whether a block calls the tool."""
    return block.get("type") == "tool_use" and block.get("name") == FETCH


def shown(content: Sequence[Block]) -> list[Block]:
    """The blocks that the agent gets to see."""
    return [block for block in content if not is_fetch(block)]


def blocks_of(content: Any) -> list[Block]:
    """Content as blocks: a text is one."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def said(block: Block) -> bytes:
    """What a block that is neither text nor thinking says, whatever clients add to it."""
    if block.get("type") == "tool_use":
        return repr((block.get("id"), block.get("name"))).encode("utf-8", "surrogatepass")
    return _canonical(block)


def woven(content: Any, turn: Turn) -> list[list[Block]] | None:
    """The content of each round as it goes out; None where `content` is not what the agent got."""
    given = _Given(blocks_of(content))
    found = [_round(one.content, given) for one in turn.rounds]
    whole = [content for content in found if content is not None]
    return whole if given.over and len(whole) == len(found) else None


def _round(content: Sequence[Block], given: _Given) -> list[Block] | None:
    out: list[Block] = []
    for block in content:
        kind = block.get("type")
        if is_fetch(block):
            out.append(block)
        elif kind in THINKING:
            if given.thinks(block):
                out.append(block)
        elif kind == "text":
            marker = given.says(block)
            if marker is None:
                return None
            out.append({**block, **marker})
        else:
            marker = given.has(block)
            if marker is None:
                return None
            out.append({**block, **marker})
    return out


class _Given:
    """What the agent sends, taken block by block."""

    def __init__(self, content: list[Block]) -> None:
        self._left = [block for block in content if block.get("type") != "text" or _text(block).strip()]
        self._left.reverse()
        self._text: str | None = None  # what is left of the text that is next, where some of it was taken

    @property
    def over(self) -> bool:
        """Whether all of it was taken."""
        return not self._left

    def thinks(self, block: Block) -> bool:
        """Take this thinking, where it is there."""
        found = self._next()
        if found is None or found.get("type") != block.get("type") or self._text is not None:
            return False
        if any(found.get(name) != block.get(name) for name in ("signature", "data")):
            return False
        self._left.pop()
        return True

    def has(self, block: Block) -> Block | None:
        """Take this block: its marker, or None where it is not next."""
        found = self._next()
        if found is None or found.get("type") != block.get("type") or said(found) != said(block):
            return None
        self._left.pop()
        return _marker(found)

    def says(self, block: Block) -> Block | None:
        """Take this text, alone or from the beginning of a longer one: its marker; None: it is not next."""
        wanted, found = _text(block), self._next()
        if not wanted.strip():
            return {}
        if found is None or found.get("type") != "text":
            return None
        text = _text(found) if self._text is None else self._text
        left = _after(text, wanted)
        if left is None:
            return None
        if left.strip():
            self._text = left
            return {}
        self._left.pop()
        self._text = None
        return _marker(found)

    def _next(self) -> Block | None:
        return self._left[-1] if self._left else None


def _after(text: str, wanted: str) -> str | None:
    """What of `text` comes after `wanted`, whatever blanks stand around either; None: it is another text."""
    if text.startswith(wanted):
        return text[len(wanted) :]
    text, wanted = text.lstrip(), wanted.strip()
    return text[len(wanted) :] if text.startswith(wanted) else None


def _marker(block: Block) -> Block:
    return {_MARKER: block[_MARKER]} if block.get(_MARKER) is not None else {}


def _calls(content: Sequence[Block]) -> bool:
    return any(block.get("type") == "tool_use" for block in shown(content))


def _text(block: Block) -> str:
    text = block.get("text")
    return text if isinstance(text, str) else ""


def _canonical(value: Any) -> bytes:
    plain = _plain(value)
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return repr(plain).encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    """Without markers, and without fields that say nothing."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None and key != _MARKER}
    return [_plain(item) for item in value] if isinstance(value, list) else value
