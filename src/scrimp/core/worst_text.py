"""How many bytes a text has at most, however a tokenizer spells it.

The one published Claude vocabulary normalises text before it splits it (NFKC), which makes some characters
longer: "\\ufdfa" has 3 bytes, and 33 as it is read. Where that can happen the longer spelling counts.
"""

from __future__ import annotations

import json
from functools import lru_cache
from unicodedata import combining, is_normalized, normalize

import orjson

__all__ = ["as_json", "spelled_bytes"]

_CHUNK = 16_384
"""Characters that are looked at together. What comes after one that is too long is not looked at."""

_SEAM = 16
"""Bytes that marks may bring which belong to the last letter of the part before."""


def as_json(value: object) -> bytes | None:
    """`value` as JSON, all but control characters as themselves; None where it is no JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits, lone surrogates: rare, and json takes them
        pass
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError):
        return None


def spelled_bytes(encoded: bytes, enough: int) -> int:
    """Bytes of JSON text as it is, or normalised where that is more; counted until there are `enough`."""
    if encoded.isascii():
        return len(encoded)
    # An escape's letter takes no marks from what follows it; only with this one could that shorten the whole.
    text = encoded.decode("utf-8", "surrogatepass").replace("\\r", "\\ ")
    total = 0
    for start in range(0, len(text), _CHUNK):
        total += _spelled(text[start : start + _CHUNK])
        if total >= enough:
            break
    return max(total, len(encoded))


def _spelled(text: str) -> int:
    if text.isascii():
        return len(text)
    if is_normalized("NFKC", text) or all(map(_is_calm, set(text))):
        return len(text.encode("utf-8", "surrogatepass")) + _SEAM
    return len(normalize("NFKC", text).encode("utf-8", "surrogatepass")) + _SEAM


@lru_cache(maxsize=65_536)
def _is_calm(letter: str) -> bool:
    """Whether a text of such characters never becomes longer: none is longer by itself, and none has marks
    that could go to another."""
    if letter.isascii():
        return True
    apart = normalize("NFKD", letter)
    longer = len(normalize("NFKC", letter).encode("utf-8", "surrogatepass")) > len(
        letter.encode("utf-8", "surrogatepass")
    )
    return not longer and not combining(apart[0])
