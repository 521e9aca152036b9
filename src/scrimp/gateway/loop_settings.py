"""When the gateway stops an agent that goes round in circles: `[loop]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from scrimp.core.loop_guard import LoopGuard, OnLoop
from scrimp.core.loop_guard_turns import POLLING
from scrimp.gateway.settings_fields import says

__all__ = ["LoopSettings", "loop_lever"]


class LoopSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[loop]`: agents that repeat themselves are stopped before they pay for another round."""

    enabled: Annotated[bool, says("true: conversations are watched for loops")] = False
    on_loop: Annotated[
        OnLoop, says("raise: an error in place of an answer; wrap_up: one last turn; warn: the log says so")
    ] = "raise"
    max_steps: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        says("answers without a word from outside; none: 200, or learned"),
    ] = None
    repeats: Annotated[int, Meta(ge=2), says("equal calls with equal results in a row")] = 4
    cycles: Annotated[int, Meta(ge=2), says("rounds through the same two to four calls")] = 3
    errors: Annotated[int, Meta(ge=2), says("equal errors in a row, whatever was called")] = 5
    polling: Annotated[tuple[str, ...], says("tools that may be asked again and again; * is any text")] = (
        POLLING
    )


def loop_lever(settings: LoopSettings) -> LoopGuard:
    """The guard of `[loop]`."""
    return LoopGuard(
        max_steps=settings.max_steps,
        repeats=settings.repeats,
        cycles=settings.cycles,
        errors=settings.errors,
        on_loop=settings.on_loop,
        polling=settings.polling,
    )
