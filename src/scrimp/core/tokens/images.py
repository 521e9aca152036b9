"""Sizes of images, read from the first bytes of the file, and their tokens by the published formula."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from math import ceil
from typing import Any

from scrimp.facts.model import ImageRule

__all__ = ["Pixels", "image_pixels", "image_tokens"]

Pixels = tuple[int, int]
"""Width and height."""

_ROUNDING = 1e-9
_HEAD = 65_536
"""Base64 characters looked at: 48 KB hold the frame header of every JPEG but those with huge previews."""
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})


def image_tokens(pixels: Pixels, rule: ImageRule) -> int:
    """Tokens of an image: scaled down to fit both limits, then one per patch ("Vision", image costs)."""
    width, height = pixels
    scale = min(1.0, rule.max_edge / max(width, height, 1))
    tokens = _patches(pixels, scale, rule.patch)
    if tokens <= rule.max_tokens:
        return tokens
    # The largest scale that fits makes one side a whole number of patches.
    steps = range(1, ceil(rule.max_edge / rule.patch) + 1)
    scales = {step * rule.patch / side for side in pixels for step in steps}
    fitting = (_patches(pixels, s, rule.patch) for s in sorted(scales, reverse=True) if s < scale)
    return next((tokens for tokens in fitting if tokens <= rule.max_tokens), 1)


def image_pixels(source: Any) -> Pixels | None:
    """Width and height of a base64 PNG, JPEG, GIF or WebP; None for a URL, a file or anything unreadable."""
    data = source.get("data") if isinstance(source, Mapping) else None
    if not isinstance(data, str):
        return None
    head = data[:_HEAD]
    try:
        raw = binascii.a2b_base64(head[: len(head) // 4 * 4])
    except (binascii.Error, ValueError):
        return None
    found = _png(raw) or _gif(raw) or _webp(raw) or _jpeg(raw)
    return found if found and min(found) > 0 else None


def _patches(pixels: Pixels, scale: float, patch: int) -> int:
    columns, rows = (max(1, ceil(side * scale / patch - _ROUNDING)) for side in pixels)
    return columns * rows


def _png(raw: bytes) -> Pixels | None:
    if raw[:8] != b"\x89PNG\r\n\x1a\n" or len(raw) < 24:
        return None
    return int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")


def _gif(raw: bytes) -> Pixels | None:
    if raw[:6] not in (b"GIF87a", b"GIF89a") or len(raw) < 10:
        return None
    return int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[8:10], "little")


def _webp(raw: bytes) -> Pixels | None:
    if raw[:4] != b"RIFF" or raw[8:12] != b"WEBP" or len(raw) < 30:
        return None
    kind = raw[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(raw[24:27], "little"), 1 + int.from_bytes(raw[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = (int.from_bytes(raw[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        return width, height
    return None


def _jpeg(raw: bytes) -> Pixels | None:
    if raw[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 < len(raw):
        if raw[at] != 0xFF:
            return None
        marker = raw[at + 1]
        if marker in _FRAME_HEADERS:
            return int.from_bytes(raw[at + 7 : at + 9], "big"), int.from_bytes(raw[at + 5 : at + 7], "big")
        if marker == 0xFF:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return None
