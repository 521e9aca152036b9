"""A tighter bound on the length of a prompt, where a bill has shown how long its beginning is.

A later prompt that begins the same has at most as many tokens there, and at most one token for each byte of
what follows. Nothing is estimated, so it is as hard a bound as the bytes of all, and several times tighter
on a long conversation.
"""

from __future__ import annotations

from scrimp.core.hard_lengths import HardLengths
from scrimp.core.prompt import Prompt
from scrimp.core.worst_parts import look_at
from scrimp.core.worst_seen import Seen
from scrimp.core.worst_text import as_json, spelled_bytes

__all__ = ["known_bound"]

_AROUND_BLOCK = 16
"""Tokens rendered around a block: its own braces are not among the bytes that are counted here."""

_ENOUGH = 2_000_000
"""Bytes of text beyond which it does not matter how many: no prompt is as long."""


def known_bound(prompt: Prompt, lengths: HardLengths, *, image: int) -> int | None:
    """Tokens that `prompt` has at most, or None where no bill has bounded its beginning.

    `image` is the most tokens that an image has. The beginning is one that holds all tools and all of the
    system prompt. Only for requests that the API does not shorten, see `may_shorten`.
    """
    static = prompt.static_end
    found = lengths.longest(prompt.prefixes, static if static > 0 else 0)
    if found is None:
        return None
    position, tokens = found
    fresh = _fresh(prompt, position + 1, image)
    return None if fresh is None else tokens + fresh


def _fresh(prompt: Prompt, start: int, image: int) -> int | None:
    """Tokens of everything from a position on, at most; None where something there has no bound."""
    seen = Seen()
    # What is nested in a block is part of it.
    values = [block.value for block in prompt.blocks[start:] if not block.depth]
    if not values:
        return seen.beside_text(image)
    encoded = as_json(values)
    if encoded is None:
        return None
    look_at(seen, values)
    if seen.unseen or seen.referenced or seen.inline:
        return None
    own = spelled_bytes(encoded, _ENOUGH + seen.media) - len(values) - 1  # without brackets and commas
    return own + len(values) * _AROUND_BLOCK + seen.beside_text(image)
