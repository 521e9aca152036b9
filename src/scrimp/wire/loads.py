"""JSON as it comes off the wire: exact big integers, and lone surrogates do not stop us."""

from __future__ import annotations

import json

import msgspec

__all__ = ["loads"]

_decoder = msgspec.json.Decoder()


def loads(raw: bytes) -> object:
    """Decode one JSON value; raises ValueError when `raw` is not JSON.

    msgspec is quick and keeps integers of any size but refuses lone surrogates and numbers beyond a
    double; those rare bodies take the standard library's slower, more tolerant path.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
