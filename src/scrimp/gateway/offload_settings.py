"""What the gateway leaves out of contexts and keeps for fetching: `[offload]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from scrimp.gateway.settings_fields import Size, says
from scrimp.offloading import Offload

__all__ = ["OffloadSettings", "offload_lever"]


class OffloadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[offload]`: large tool results are shortened as they come in, and kept whole for the model to read.

    What is kept is prompt text, in `offload.sqlite` beside the ledger.
    """

    enabled: Annotated[bool, says("true: for callers in mode save")] = False
    over: Annotated[int, Meta(ge=1), says("tokens up to which a result stays whole")] = 2_000
    share: Annotated[float, Meta(gt=0, le=0.4), says("how much of a longer one is left")] = 0.3
    most: Annotated[int, Meta(ge=1), says("tokens that are left at most")] = 2_000
    exclude: Annotated[tuple[str, ...], says("tools whose results stay as they are")] = ()
    always: Annotated[bool, says("true: all agents get the tool, also unknown ones")] = False
    days: Annotated[float, Meta(gt=0), says("how long a text is kept after it was last needed")] = 30.0
    most_bytes: Annotated[Size, Meta(ge=1), says("kept in all; beyond it the oldest go first")] = 2**30


def offload_lever(settings: OffloadSettings, owner: str) -> Offload:
    """The lever of `[offload]`. `owner` tells accounts apart."""
    lever = Offload(
        over=settings.over,
        share=settings.share,
        most=settings.most,
        exclude=settings.exclude,
        days=settings.days,
        most_bytes=settings.most_bytes,
        always=settings.always,
    )
    lever.owner = owner
    return lever
