"""Work beside the calls that goes on whatever happens to it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress

from scrimp.errors import ScrimpWarning

__all__ = ["lasting"]

_REST = 30.0


async def lasting(what: str, work: Callable[[], Awaitable[None]], *, rest: float = _REST) -> None:
    """Do `work` until it is done or cancelled; where it fails, begin again after `rest` seconds.

    Each kind of failure is told of once, by the kind alone: its text may hold a prompt.
    """
    told: set[str] = set()
    while True:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - whatever it is of ours: a gateway has no time limits without it
            kind = type(error).__name__
        if kind not in told:
            told.add(kind)
            with suppress(ScrimpWarning):  # where warnings are errors, this one may still end nothing
                warnings.warn(f"scrimp: {what} failed ({kind}) and begins again", ScrimpWarning, stacklevel=2)
        await asyncio.sleep(rest)
