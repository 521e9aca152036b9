"""A script in a file: one answer a line, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from scrimp.emulator.replies import Answer, Reply, Scripted
from scrimp.errors import InputError
from scrimp.wire.loads import loads

__all__ = ["read_script"]

_ANSWER_FIELDS = frozenset({"content", "stop_reason", "stop_sequence", "output_tokens", "thinking_tokens"})


def read_script(path: Path) -> Scripted:
    """The script in a JSON Lines file.

    A line is a string (the text said), a content block, a list of blocks, or an object with `content` and
    any of `stop_reason`, `stop_sequence`, `output_tokens`, `thinking_tokens`. Raises `InputError` naming the
    line.
    """
    lines = path.read_bytes().splitlines()
    script = [_reply(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not script:
        raise InputError(f"{path}: holds no answers; give one JSON value a line")
    return Scripted(script)


def _reply(line: bytes, where: str) -> Reply:
    try:
        value = loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "content" in value and "type" not in value:
        return _answer(value, where)
    blocks = value if isinstance(value, list) else [value]
    return _checked(blocks, where)


def _answer(value: dict[str, Any], where: str) -> Answer:
    unknown = sorted(set(value) - _ANSWER_FIELDS)
    if unknown:
        raise InputError(
            f"{where}: unknown field {unknown[0]!r}; expected {', '.join(sorted(_ANSWER_FIELDS))}"
        )
    content = value["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    try:
        return msgspec.convert({**value, "content": _checked(content, where)}, Answer)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from None


def _checked(blocks: Any, where: str) -> list[dict[str, Any]]:
    whole = isinstance(blocks, list) and all(
        isinstance(block, dict) and isinstance(block.get("type"), str) for block in blocks
    )
    if not whole:
        raise InputError(f"{where}: expected a text, a block with a type, or a list of such blocks")
    found: list[dict[str, Any]] = blocks
    return found
