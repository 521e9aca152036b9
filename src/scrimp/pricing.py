"""`scrimp.cost(response)`: what one response cost, whatever it came from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from scrimp.core.bill import Bill, bill
from scrimp.errors import ResponseError
from scrimp.facts.models import Facts, default
from scrimp.wire.response import TokenCounts, read_usage

__all__ = ["cost"]

_COUNTS = frozenset(TokenCounts.__struct_fields__) | {"iterations"}


def cost(
    response: Any, *, model: str | None = None, at: float | date | None = None, facts: Facts | None = None
) -> Bill:
    """The exact bill of one response, from its billed usage.

    `response` is a message of the SDK, the body of a response as a mapping, or a bare usage block (then
    `model` must say whose it is). `at` is when it was billed: epoch seconds or a day, by default the newest
    prices. `.usd` is the amount in dollars. Raises ResponseError when there is no usage to price.
    """
    body = _mapping(response)
    usage = body.get("usage", body)
    if not isinstance(usage, Mapping):
        raise ResponseError("response has no usage: pass a message, its body, or its usage block")
    name = model or body.get("model")
    if not isinstance(name, str):
        raise ResponseError("model is not known: pass model=… with a bare usage block")
    if not _COUNTS & usage.keys():
        raise ResponseError("usage has no token counts: pass a message, its body, or its usage block")
    known = facts or default()
    return bill(read_usage(usage), known.resolve(name), at=at, facts=known)


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    dump = getattr(value, "to_dict", None) or getattr(value, "model_dump", None)
    found = dump() if callable(dump) else None
    if not isinstance(found, Mapping):
        raise ResponseError(
            f"{type(value).__name__} is not a response: pass a message, its body, or its usage block"
        )
    return found
