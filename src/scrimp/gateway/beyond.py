"""Requests longer than any prompt can be: the API refuses them, so that nothing is planned for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.core.worst_parts import look
from scrimp.core.worst_text import as_json
from scrimp.facts.models import Facts

__all__ = ["is_beyond_any_window"]

_MOST_BYTES = 8_000_000
"""A million tokens, which is the largest window, of eight bytes each."""

_MOST_BLOCKS = 20_000
"""Few fill a window with blocks of fifty tokens, and reading so many takes half a second."""

_BLOCK_BYTES = 20
"""No block has fewer as JSON."""


def is_beyond_any_window(text: bytes, body: Mapping[str, Any], facts: Facts) -> bool:
    """Whether a request of this JSON is so long that no model reads it, images and documents left out.

    Or of so many blocks that nobody means it.
    """
    if len(text) <= _MOST_BLOCKS * _BLOCK_BYTES:
        return False
    if _has_more_blocks(body):
        return True
    if len(text) <= _MOST_BYTES:
        return False
    spelled = as_json(body) if b"\\u" in text else None
    media = look(body, facts.resolve(str(body.get("model", "")))).media
    return len(spelled or text) - media > _MOST_BYTES


def _has_more_blocks(body: Mapping[str, Any]) -> bool:
    """Whether there are more blocks than are planned, those in others included."""
    count = 0
    lists = [body.get("tools"), body.get("system"), body.get("messages")]
    while lists and count <= _MOST_BLOCKS:
        found = lists.pop()
        if isinstance(found, list):
            count += len(found)
            lists += [block.get("content") for block in found if isinstance(block, Mapping)]
    return count > _MOST_BLOCKS
