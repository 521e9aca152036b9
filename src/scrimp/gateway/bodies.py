"""A request's body as it means, beside the bytes it came in."""

from __future__ import annotations

import zlib
from typing import Any

from scrimp.gateway.refusals import RefusedError
from scrimp.wire.bodies import Bodies
from scrimp.wire.splice import Layout

__all__ = ["read_object", "unpacked"]

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def unpacked(raw: bytes, encoding: str, limit: int) -> bytes:
    """`raw` without its `content-encoding`, of `limit` bytes at most; raises `RefusedError`."""
    if encoding in ("", "identity"):
        return raw
    bits = _WINDOW_BITS.get(encoding.lower())
    if bits is None:
        raise RefusedError.for_good(
            400, "request body: content-encoding is none that this gateway can unpack"
        )
    inflate = zlib.decompressobj(bits)
    try:
        body = inflate.decompress(raw, limit + 1)
    except zlib.error:
        raise RefusedError.for_good(400, "request body: not what its content-encoding says") from None
    if len(body) > limit:
        raise RefusedError.for_good(413, f"request body: more than {limit:,} bytes when unpacked")
    if not inflate.eof:
        raise RefusedError.for_good(400, "request body: breaks off")
    return body


def read_object(raw: bytes, bodies: Bodies) -> tuple[dict[str, Any], Layout | None]:
    """The JSON object of a request, which nobody may change, and where its messages lie where that is known.

    Raises `RefusedError` for what is none: the API would refuse it too.
    """
    try:
        found = bodies.read(raw)
    except ValueError:  # its text quotes the body
        raise RefusedError.for_good(400, "The request body is not valid JSON") from None
    body = found.value
    if not isinstance(body, dict):
        raise RefusedError.for_good(400, "The request body is not a JSON object")
    return body, found.layout
