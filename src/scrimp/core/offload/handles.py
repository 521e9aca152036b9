"""Handles: short names of texts, made from nothing but the text, so that they are the same at every step.

80 bits of a digest: nobody who does not hold the text can guess it, and it costs a dozen tokens.
"""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import blake2b

__all__ = ["handle_of", "is_handle"]

_BYTES = 10
_SHAPE = re.compile(r"[a-z2-7]{16}")


def handle_of(text: str) -> str:
    """The handle of a text: 16 small letters and digits."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()
    return b32encode(digest).decode().lower()


def is_handle(handle: str) -> bool:
    """Whether this may be a handle."""
    return _SHAPE.fullmatch(handle) is not None
