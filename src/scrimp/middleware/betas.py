"""What the SDK's requests will say in `anthropic-beta` without us.

A client may have its own default for the header, which the SDK puts below what a request says, and which a
middleware is not shown: an addition to a request that does not say the header itself would take the place of
that default. So the client is looked for behind the chain of handlers; where it cannot be found, it is not
known what such a request will say, and nothing may be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getclosurevars
from typing import Any

from scrimp.wire.betas import BETAS_HEADER, betas_in

__all__ = ["betas_of"]

_LONGEST_CHAIN = 50


def betas_of(request: Any, call_next: Any) -> tuple[str, ...] | None:
    """What a request that goes on to `call_next` will say without us; None: that is not known."""
    said = _said(request.headers)
    if said is not None:
        return betas_in(said)
    defaults = _default_headers(call_next)
    return None if defaults is None else betas_in(_said(defaults))


def _default_headers(call_next: Any) -> Mapping[str, Any] | None:
    """Those of the client at the end of the chain: each handler knows the next, the last one its client."""
    handler = call_next
    for _ in range(_LONGEST_CHAIN):
        try:
            known = getclosurevars(handler).nonlocals
        except (TypeError, ValueError):  # no function of Python's
            return None
        found = getattr(known.get("self"), "default_headers", None)
        if isinstance(found, Mapping):
            return found
        handler = known.get("call_next")
    return None


def _said(headers: Mapping[str, Any]) -> str | None:
    for name, value in headers.items():
        if name.lower() == BETAS_HEADER and isinstance(value, str):
            return value
    return None
