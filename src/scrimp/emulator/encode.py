"""JSON out, whatever strings a model may have said."""

from __future__ import annotations

import json
from typing import Any

import orjson

__all__ = ["encode"]


def encode(value: Any) -> bytes:
    """`value` as JSON; half surrogate pairs and huge integers take the standard library's slower path."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()
