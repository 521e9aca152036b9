"""How much the content of a message is. Sizes are UTF-8 bytes of text, not tokens.

Content of an unknown shape adds nothing, and so does a block of an unknown type but for being one.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NOTHING", "Answer", "Said", "add_answer", "said", "together"]

_EMPTY = msgspec.Raw(b"")


class Block(msgspec.Struct, gc=False):
    """A content block, as far as measuring needs it."""

    type: str | None = None
    text: str | None = None
    name: str | None = None
    id: str | None = None
    tool_use_id: str | None = None
    input: msgspec.Raw = _EMPTY
    content: msgspec.Raw = _EMPTY


class Asked(msgspec.Struct, gc=False):
    """What a tool was asked, in the words of common tools; the first of these that is there names it."""

    file_path: str = ""
    notebook_path: str = ""
    command: str = ""
    url: str = ""
    query: str = ""
    pattern: str = ""
    path: str = ""
    description: str = ""


class Said(msgspec.Struct, gc=False):
    """What a line of input adds: `text` is its first one, `results` sizes tool results by their uses' ids.

    `digests` are those of the results as recorded.
    """

    blocks: int = 0
    text: str = ""
    text_bytes: int = 0
    images: int = 0
    tool_references: int = 0
    results: dict[str, int] = msgspec.field(default_factory=dict)
    digests: dict[str, bytes] = msgspec.field(default_factory=dict)


class Answer(msgspec.Struct, gc=False):
    """What the lines of an answer add up to.

    `tool_uses` are the ids of uses and the names of their tools, `tool_sizes` the bytes of their inputs,
    `tool_digests` those of what was asked and `tool_subjects` what about, in a few words (empty: not known).
    """

    blocks: int = 0
    text_bytes: int = 0
    thinking_blocks: int = 0
    tool_use_bytes: int = 0
    tool_uses: list[tuple[str, str]] = msgspec.field(default_factory=list)
    tool_sizes: list[int] = msgspec.field(default_factory=list)
    tool_digests: list[bytes] = msgspec.field(default_factory=list)
    tool_subjects: list[str] = msgspec.field(default_factory=list)


NOTHING = Said()
"""What other lines add; not to be changed."""

_content: msgspec.json.Decoder[str | list[Block]] = msgspec.json.Decoder(str | list[Block])
_blocks = msgspec.json.Decoder(list[Block])
_asked = msgspec.json.Decoder(Asked)
_SUBJECT = 80


def said(content: msgspec.Raw) -> Said:
    """Measure the content of a line of input."""
    read = _read(content)
    if isinstance(read, str):
        return Said(blocks=1, text=read, text_bytes=_size(read))
    result = Said(blocks=len(read))
    for block in read:
        match block.type:
            case "tool_result":
                result.results[block.tool_use_id or ""] = _measure_result(block.content, result)
                result.digests[block.tool_use_id or ""] = _digest(block.content)
            case "text":
                result.text = result.text or block.text or ""
                result.text_bytes += _size(block.text)
            case "image" | "document":
                result.images += 1
            case _:
                pass
    return result


def add_answer(content: msgspec.Raw, into: Answer) -> None:
    """Measure the content of one line of an answer."""
    read = _read(content)
    if isinstance(read, str):
        into.blocks += 1
        into.text_bytes += _size(read)
        return
    into.blocks += len(read)
    for block in read:
        match block.type:
            case "text":
                into.text_bytes += _size(block.text)
            case "tool_use" | "server_tool_use":
                into.tool_uses.append((block.id or "", block.name or ""))
                into.tool_sizes.append(len(block.input))
                into.tool_digests.append(_digest(block.input))
                into.tool_subjects.append(_subject(block.input))
                into.tool_use_bytes += len(block.input)
            case "thinking" | "redacted_thinking":
                into.thinking_blocks += 1
            case _:
                pass


def together(parts: Sequence[Said]) -> Said:
    """What several lines add, their texts left out; of results with one id the last counts."""
    if len(parts) == 1:
        return parts[0]
    whole = Said()
    for part in parts:
        whole.blocks += part.blocks
        whole.text_bytes += part.text_bytes
        whole.images += part.images
        whole.tool_references += part.tool_references
        whole.results.update(part.results)
        whole.digests.update(part.digests)
    return whole


def _read(content: msgspec.Raw) -> str | list[Block]:
    try:
        return _content.decode(content)
    except msgspec.DecodeError:
        return []


def _measure_result(content: msgspec.Raw, into: Said) -> int:
    """Bytes of text in a tool result; its images and tool references are counted into `into`."""
    if bytes(memoryview(content)[:1]) != b"[":
        return len(content)
    try:
        parts = _blocks.decode(content)
    except msgspec.DecodeError:
        return len(content)
    into.images += sum(part.type in ("image", "document") for part in parts)
    into.tool_references += sum(part.type == "tool_reference" for part in parts)
    return sum(_size(part.text) for part in parts)


def _digest(content: msgspec.Raw) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _subject(asked: msgspec.Raw) -> str:
    """What a tool was asked about, in one line: the end of a path, the beginning of all else."""
    try:
        read = _asked.decode(asked)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    path = read.file_path or read.notebook_path
    if path:
        return path if len(path) <= _SUBJECT else f"…{path[1 - _SUBJECT :]}"
    said = read.command or read.url or read.query or read.pattern or read.path or read.description
    return " ".join(said[: 2 * _SUBJECT].split())[:_SUBJECT]


def _size(text: str | None) -> int:
    """Bytes of a text in UTF-8."""
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode())
