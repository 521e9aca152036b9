"""The usage of a recorded answer, decoded straight into what it is read as where it has the usual form."""

from __future__ import annotations

from typing import Any

import msgspec

from scrimp.wire.response import Usage, read_usage

__all__ = ["usage_of"]

_usual = msgspec.json.Decoder(Usage)
_any = msgspec.json.Decoder(dict[str, Any] | None)

_CACHE_FIELD = b'"cache_read_input_tokens"'


def usage_of(raw: msgspec.Raw) -> Usage | None:
    """What `read_usage` makes of the JSON in `raw`; None where there is none.

    Every answer has one and nearly all are alike, so that those skip the field by field reading. Raises
    msgspec.DecodeError for anything but an object, ResponseError as `read_usage` does.
    """
    literal = bytes(raw)
    if not literal:
        return None
    # Without a minus no count is negative, and with this field the usage does report on the cache.
    if b"-" not in literal and _CACHE_FIELD in literal:
        try:
            usage = _usual.decode(literal)
        except msgspec.ValidationError:
            pass
        else:
            if usage.split_known:
                return usage
    fields = _any.decode(literal)
    return None if fields is None else read_usage(fields)
