"""`[output]`: `max_tokens` and effort as replies need them, see `scrimp.Output`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scrimp.core.output import Output
from scrimp.gateway.settings_fields import says

__all__ = ["OutputOf", "OutputSettings", "output_lever"]


class OutputOf(msgspec.Struct, frozen=True, kw_only=True):
    """`[output.of.NAME]`: what replies to an agent, task type or run of that name get."""

    max_tokens: Annotated[
        Annotated[int, Meta(ge=1)] | None, says("tokens to begin with, until their own lengths are known")
    ] = None
    effort: Annotated[
        Literal["low", "medium", "high", "xhigh", "max"] | None,
        says("how much effort to ask for, where a request does not say"),
    ] = None


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[output]`: no more output is asked for than replies of the kind need."""

    enabled: Annotated[bool, says("for callers in mode save")] = False
    max_tokens: Annotated[bool, says("false: max_tokens stay as they are")] = True
    retry_cut: Annotated[
        bool, says("a reply that was cut for want of them is asked for once more, unless it is streamed")
    ] = False
    of: Mapping[str, OutputOf] = {}


def output_lever(settings: OutputSettings) -> Output:
    """The lever that these settings ask for."""
    begin = {name: one.max_tokens for name, one in settings.of.items() if one.max_tokens is not None}
    return Output(
        max_tokens=begin if settings.max_tokens else False,
        effort={name: one.effort for name, one in settings.of.items() if one.effort is not None},
        retry_cut=settings.retry_cut,
    )
