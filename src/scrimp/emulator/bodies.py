"""Request bodies: what they weigh, how they are packed, and the JSON object inside."""

from __future__ import annotations

import zlib
from typing import Any

from scrimp.emulator.refusals import Refusal, invalid
from scrimp.wire.loads import loads

__all__ = ["MOST_BYTES", "read_object", "unpacked"]

MOST_BYTES = 32 * 1024 * 1024
"""Of a request to the Messages API or its token count, before and after unpacking."""

_TOO_LARGE = "Request exceeds the maximum size"
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def unpacked(raw: bytes | None, encoding: str) -> bytes | Refusal:
    """The body as it was before its `content-encoding`; None is one that was too long to read."""
    if raw is None:
        return Refusal(413, _TOO_LARGE)
    if encoding in ("", "identity"):
        return raw
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        return _refused(400, "request_body_encoding_unsupported", f"content-encoding {encoding!r}")
    unpacker = zlib.decompressobj(bits)
    try:
        body = unpacker.decompress(raw, MOST_BYTES + 1)
    except zlib.error as error:
        return _refused(400, "request_body_encoding_invalid", str(error))
    if len(body) > MOST_BYTES:
        return _refused(413, "request_body_too_large_after_decoding", _TOO_LARGE)
    return body if unpacker.eof else _refused(400, "request_body_encoding_invalid", "the body breaks off")


def read_object(raw: bytes) -> dict[str, Any] | Refusal:
    """The JSON object of a request."""
    try:
        body = loads(raw)
    except ValueError as error:
        return invalid(f"The request body is not valid JSON: {error}")
    return body if isinstance(body, dict) else invalid("Input should be a valid dictionary")


def _refused(status: int, code: str, why: str) -> Refusal:
    return Refusal(status, f"request body: {why}", details={"error_code": code})
