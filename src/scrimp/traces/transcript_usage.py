"""The usage of a recorded answer, decoded straight into what it is read as where it has the usual form."""

from __future__ import annotations

from typing import Any

import msgspec

from scrimp.wire.response import Usage, read_usage, usual_usage

__all__ = ["usage_of"]

_any = msgspec.json.Decoder(dict[str, Any] | None)


def usage_of(raw: msgspec.Raw) -> Usage | None:
    """What `read_usage` makes of the JSON in `raw`; None where there is none.

    Raises msgspec.DecodeError for anything but an object, ResponseError as `read_usage` does.
    """
    literal = bytes(raw)
    if not literal:
        return None
    usage = usual_usage(literal)
    if usage is not None:
        return usage
    fields = _any.decode(literal)
    return None if fields is None else read_usage(fields)
