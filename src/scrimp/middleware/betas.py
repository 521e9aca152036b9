"""What the SDK's requests will say in `anthropic-beta` without us.

A client may have its own default for the header, which the SDK puts below what a request says, and which a
middleware is not shown. So nothing is added to a request that does not say the header itself until one has
been seen on its way: an addition would take the place of that default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.wire.betas import BETAS_HEADER, betas_in

__all__ = ["Betas"]


class Betas:
    """What the clients of one middleware send by default, as far as it was seen."""

    def __init__(self) -> None:
        self._default: tuple[str, ...] | None = None
        self._differ = False

    def of(self, request: Any) -> tuple[str, ...] | None:
        """What a request will say without us; None: that is not known."""
        said = _said(request.headers)
        if said is not None:
            return betas_in(said)
        return None if self._differ else self._default

    def went_out(self, request: Any, headers: Mapping[str, str]) -> None:
        """`request` was sent with these headers: without a word of its own, it shows the client's default."""
        if _said(request.headers) is not None:
            return
        found = betas_in(headers.get(BETAS_HEADER))
        self._differ = self._differ or self._default not in (None, found)
        self._default = found


def _said(headers: Mapping[str, Any]) -> str | None:
    for name, value in headers.items():
        if name.lower() == BETAS_HEADER and isinstance(value, str):
            return value
    return None
