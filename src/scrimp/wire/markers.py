"""Where a cache marker goes: the one value that byte edits and dict edits of a request share."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["TTL", "MarkerEdit", "Path"]

TTL: TypeAlias = Literal["5m", "1h"]
"""Lifetime of a cache entry; a marker that names none means `5m`."""

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the body to a block; `()` is the body itself (automatic caching)."""


class MarkerEdit(msgspec.Struct, frozen=True, gc=False):
    """Set the `cache_control` of the block at `path` to `ttl`, or remove it where `ttl` is None.

    Paths look like `("tools", 2)`, `("system", 0)`, `("messages", 3, "content", 0)`,
    `("messages", 3, "content", 0, "content", 1)` for content nested in a tool result, and `()` for the
    top-level marker of automatic caching. Where `system` or a message's `content` is a string, index 0
    names that string.
    """

    path: Path
    ttl: TTL | None
