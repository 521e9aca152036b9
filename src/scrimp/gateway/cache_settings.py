"""How the gateway helps requests share what they write to the cache: `[fanout]` and `[[warm]]`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scrimp.core.money import PICODOLLARS
from scrimp.gateway.settings_fields import FilePath, Usd, Zone, says

__all__ = ["Clock", "Day", "FanoutSettings", "WarmSettings"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


def _clock(value: object) -> int:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError(f'{value!r} is no time of day: write such as "08:30"')
    hours, _, minutes = value.partition(":")
    return int(hours) * 60 + int(minutes)


def _shown(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


Clock = Annotated[
    int, Meta(extra={"read": _clock, "shows": _shown, "expects": 'a time of day, such as "08:30"'})
]
"""Minutes after midnight, written as `HH:MM`; `24:00` is the end of the day."""


class FanoutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[fanout]`: a request that needs a prefix which another one is writing waits until it can read it."""

    enabled: Annotated[bool, says("false: nobody waits for another's prefix")] = True
    timeout: Annotated[float, Meta(gt=0, le=300), says("seconds that a request waits at most")] = 10.0
    second: Annotated[Usd, says("what a second of waiting may cost: no wait is longer than it saves")] = (
        PICODOLLARS // 1000
    )


class WarmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[[warm]]`: a prefix that is written before it is needed, and kept as long as that pays.

    An `end` before `start` is on the next day.
    """

    name: Annotated[str, Meta(min_length=1), says("what the ledger and the log call it")]
    request: Annotated[FilePath, says("JSON file: model, tools and system, as messages.create takes them")]
    start: Annotated[Clock, says("when calls begin to come")] = 0
    end: Annotated[Clock, says("when they end")] = 24 * 60
    days: Annotated[tuple[Day, ...], says("on which days; none named: on every day")] = ()
    zone: Annotated[Zone, says("whose time of day it is")] = "UTC"
    ttl: Annotated[Literal["5m", "1h"] | None, says("how long a write lives; none: as the request says")] = (
        None
    )
    calls_per_hour: Annotated[
        float, Meta(ge=0), says("uses to expect in that time; 0: as seen, and none is warmed unseen")
    ] = 0.0
    upstream: Annotated[str | None, says("who pays; none: that of [serve]")] = None
