"""`[trim]`: whole old turns left out of long conversations, see `scrimp.Trim`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from scrimp.core.passes.trim import Trim
from scrimp.gateway.settings_fields import says

__all__ = ["TrimSettings", "trim_lever"]


class TrimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[trim]`: where the model lets it, what is long ago is not sent any more."""

    enabled: Annotated[bool, says("for callers in mode save")] = False
    trigger: Annotated[
        int, Meta(ge=1), says("tokens of messages beyond which old turns go, half of them")
    ] = 100_000
    keep_turns: Annotated[int, Meta(ge=0), says("last turns that stay whatever their length")] = 3


def trim_lever(settings: TrimSettings) -> Trim:
    """The lever that these settings ask for."""
    return Trim(trigger=settings.trigger, keep_turns=settings.keep_turns)
