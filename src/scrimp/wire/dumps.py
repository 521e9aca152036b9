"""JSON as it goes onto the wire: whatever `loads` has read can be written."""

from __future__ import annotations

import json
from typing import Any

import orjson

__all__ = ["dumps"]


def dumps(value: Any) -> bytes:
    """A value as JSON, without blanks. Raises TypeError or ValueError for what is none."""
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(value, separators=(",", ":")).encode()
