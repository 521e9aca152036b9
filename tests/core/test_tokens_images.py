"""Images: sizes read from file headers, tokens by the published formula."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.tokens.images import image_pixels, image_tokens
from scrimp.facts.model import ImageRule

OLDER = ImageRule(patch=28, max_edge=1568, max_tokens=1568, source="Vision page")
NEWER = ImageRule(patch=28, max_edge=2576, max_tokens=4784, source="Vision page")


def source(raw: bytes) -> dict[str, str]:
    return {"type": "base64", "data": base64.b64encode(raw).decode()}


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def jpeg(width: int, height: int) -> bytes:
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\x00" + bytes(9)
    comment = b"\xff\xfe" + struct.pack(">H", 5) + b"\xff\xc0\x00"  # looks like a frame header, is not one
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + bytes(3)
    return b"\xff\xd8" + app0 + comment + b"\xff" + frame + b"\xff\xd9"


def webp_extended(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + bytes(4) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas


def webp_lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return b"RIFF" + bytes(4) + b"WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", bits) + bytes(5)


def webp_lossy(width: int, height: int) -> bytes:
    frame = bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF" + bytes(4) + b"WEBPVP8 " + bytes(4) + frame


@pytest.mark.parametrize(
    ("pixels", "older", "newer"),
    [
        ((1000, 1000), 1296, 1296),  # the Vision page's examples
        ((1920, 1080), 1560, 2691),
        ((228, 148), 54, 54),  # recorded bills, three tokens of markup taken off
        ((128, 128), 25, 25),
        ((283, 330), 132, 132),
        ((1, 1), 1, 1),
    ],
)
def test_published_and_billed_examples(pixels: tuple[int, int], older: int, newer: int) -> None:
    assert image_tokens(pixels, OLDER) == older
    assert image_tokens(pixels, NEWER) == newer


@given(st.tuples(st.integers(1, 8000), st.integers(1, 8000)))
def test_an_image_never_exceeds_the_limit_nor_costs_nothing(pixels: tuple[int, int]) -> None:
    for rule in (OLDER, NEWER):
        assert 1 <= image_tokens(pixels, rule) <= rule.max_tokens


@given(st.integers(1, 8000), st.integers(1, 8000))
def test_turning_an_image_changes_nothing(width: int, height: int) -> None:
    assert image_tokens((width, height), OLDER) == image_tokens((height, width), OLDER)


@pytest.mark.parametrize("make", [png, jpeg, webp_extended, webp_lossless, webp_lossy])
@pytest.mark.parametrize("pixels", [(1, 1), (640, 480), (1023, 2047)])
def test_sizes_are_read_from_headers(make: object, pixels: tuple[int, int]) -> None:
    assert callable(make)
    assert image_pixels(source(make(*pixels))) == pixels


def test_gif() -> None:
    assert image_pixels(source(b"GIF89a" + struct.pack("<HH", 300, 200) + bytes(3))) == (300, 200)


@pytest.mark.parametrize(
    "unreadable",
    [
        None,
        {"type": "url", "url": "https://example.com/cat.png"},
        {"type": "base64", "data": "not base64 \u00e9"},
        {"type": "base64", "data": ""},
        source(b"\x89PNG\r\n\x1a\n"),
        source(b"\xff\xd8\xff\xd9"),
        source(png(0, 10)),
        source(b"%PDF-1.7"),
    ],
)
def test_what_cannot_be_read_has_no_size(unreadable: object) -> None:
    assert image_pixels(unreadable) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(raw: bytes) -> None:
    for magic in (b"", b"\xff\xd8", b"RIFF1234WEBPVP8L", b"\x89PNG\r\n\x1a\n"):
        found = image_pixels(source(magic + raw))
        assert found is None or min(found) > 0
