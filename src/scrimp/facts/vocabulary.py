"""The one Claude vocabulary that was ever published, as a ruler for text.

It belongs to Claude 2 (65,000 tokens; package "anthropic" 0.38.0). Later models split text differently, so a
count here is a measure to scale, never a token count of its own; see `tokenizers`.
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any

import msgspec
from kitoken import Kitoken

__all__ = ["vocabulary_count"]

_MERGES = "merges.txt.zlib"
_SPECIALS = ("<EOT>", "<META>", "<META_START>", "<META_END>", "<SOS>")
_PRINTABLE = (range(33, 127), range(161, 173), range(174, 256))
"""Bytes that stand for themselves in the published file; the others are shifted beyond 255 (GPT-2's map)."""

_ANY = len(_SPECIALS)
"""The number of any token."""


def vocabulary_count(text: str) -> int:
    """How many tokens of the published vocabulary `text` has (half a surrogate pair counts as a "?")."""
    if not text:
        return 0
    if text.isascii():
        return len(_plain_tokenizer().encode(text, False))  # noqa: FBT003 - kitoken takes it by position only
    try:
        return len(_tokenizer().encode(text, False))  # noqa: FBT003 - as above
    except UnicodeEncodeError:
        whole = text.encode("utf-8", "replace").decode("utf-8")
        return len(_tokenizer().encode(whole, False))  # noqa: FBT003 - as above


@cache
def _tokenizer() -> Kitoken:
    return Kitoken.from_tokenizers(msgspec.json.encode(_for_counting(_document())))


@cache
def _plain_tokenizer() -> Kitoken:
    """For ASCII, which is normal form as it stands: not looking takes half the time."""
    return Kitoken.from_tokenizers(msgspec.json.encode(_for_counting({**_document(), "normalizer": None})))


def _for_counting(document: dict[str, Any]) -> dict[str, Any]:
    """All tokens under one number: it is how many there are that is asked for, and a number that Python keeps
    at hand anyway is not made anew for each of them."""
    model = document["model"]
    return {**document, "model": {**model, "vocab": dict.fromkeys(model["vocab"], _ANY)}}


def _document() -> dict[str, Any]:
    packed = resources.files(__package__).joinpath("vocab", _MERGES).read_bytes()
    merges = zlib.decompress(packed).decode("utf-8").split("\n")
    printable = [chr(byte) for byte in chain(*_PRINTABLE)]
    shifted = [chr(256 + number) for number in range(256 - len(printable))]
    tokens = [*_SPECIALS, *printable, *shifted, *(merge.replace(" ", "") for merge in merges)]
    return {
        "version": "1.0",
        "added_tokens": [
            {
                "id": number,
                "content": special,
                "special": True,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for number, special in enumerate(_SPECIALS)
        ],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {
            "type": "BPE",
            "fuse_unk": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": merges,
        },
    }
