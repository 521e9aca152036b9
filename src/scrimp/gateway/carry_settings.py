"""`[carry]`: old tool results cleared by the API when that pays, see `scrimp.Carry`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from scrimp.core.carry.worth_account import RISK
from scrimp.core.passes.carry import Carry
from scrimp.gateway.settings_fields import says
from scrimp.stores.carry_home import HomeCuts

__all__ = ["CarrySettings", "carry_lever"]


class CarrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[carry]`: what carrying old content on would cost more than it saves is taken out by the API."""

    enabled: Annotated[bool, says("for callers in mode save")] = False
    keep: Annotated[int, Meta(ge=1), says("newest tool uses that always stay")] = 3
    exclude_tools: Annotated[tuple[str, ...], says("tools whose results are never cleared")] = ()
    thinking: Annotated[bool, says("false: thinking is never cleared")] = True
    compact: Annotated[
        bool, says("true: conversations may be summed up, where clients send compaction blocks back")
    ] = False
    restore: Annotated[bool, says("true: a compaction block that a client drops is put back")] = False
    risk: Annotated[
        float, Meta(ge=0, le=1), says("share of its own cost that a conversation may lose by it")
    ] = RISK


def carry_lever(settings: CarrySettings, owner: str) -> Carry:
    """The lever that these settings ask for; what it cleared outlives the process. `owner` tells accounts
    apart."""
    return Carry(
        keep=settings.keep,
        exclude_tools=settings.exclude_tools,
        thinking=settings.thinking,
        compact=settings.compact,
        restore=settings.restore,
        risk=settings.risk,
        store=HomeCuts(owner),
    )
