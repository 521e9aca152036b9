"""A tighter bound on the length of a prompt, where a bill has shown how long its beginning is.

The bill of a call that was cached says exactly how many tokens its prompt has up to the last marker. A later
prompt that begins the same has as many there, and at most one token for each byte of what follows. Nothing is
estimated, so it is as hard a bound as the bytes of all, and several times tighter on a long conversation.
"""

from __future__ import annotations

import orjson

from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Prompt
from scrimp.core.worst_parts import Seen, look_at

__all__ = ["known_bound"]

_AROUND_BLOCK = 16
"""Tokens rendered around a block: its own braces are not among the bytes that are counted here."""


def known_bound(prompt: Prompt, lengths: Lengths, *, image: int) -> int | None:
    """Tokens that `prompt` has at most, or None where no bill has shown the length of its beginning.

    `image` is the most tokens that an image has. The beginning is one that holds all tools and all of the
    system prompt. Not for requests whose history the server edits: what a bill has shown may be shortened.
    """
    first = max(prompt.static_end, 0)
    for position in range(len(prompt) - 1, first - 1, -1):
        tokens = lengths.known(prompt.prefixes[position])
        if tokens is not None:
            fresh = _fresh(prompt, position + 1, image)
            return None if fresh is None else tokens + fresh
    return None


def _fresh(prompt: Prompt, start: int, image: int) -> int | None:
    """Tokens of everything from a position on, at most; None where something there has no bound."""
    seen = Seen()
    length = 0
    # What is nested in a block is part of it.
    for block in (block for block in prompt.blocks[start:] if not block.depth):
        try:
            length += len(orjson.dumps(block.value)) + _AROUND_BLOCK
        except TypeError:
            return None
        look_at(seen, (block.value,), image)
    return None if seen.unseen else length - seen.media + seen.added
