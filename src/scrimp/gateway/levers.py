"""The levers of a gateway: new ones for every account, since they remember conversations."""

from __future__ import annotations

from scrimp.core.levers import Lever
from scrimp.core.passes.relocating import Relocate
from scrimp.gateway.carry_settings import carry_lever
from scrimp.gateway.context_settings import context_levers
from scrimp.gateway.loop_settings import loop_lever
from scrimp.gateway.offload_settings import offload_lever
from scrimp.gateway.output_settings import output_lever
from scrimp.gateway.settings import Settings
from scrimp.gateway.trim_settings import trim_lever

__all__ = ["levers_of"]


def levers_of(settings: Settings, account: str) -> list[Lever]:
    """The levers that are switched on, for the calls of one account."""
    found: list[Lever] = []
    if settings.loop.enabled:
        found.append(loop_lever(settings.loop))
    if settings.offload.enabled:
        found.append(offload_lever(settings.offload, account))
    if settings.relocate.enabled:
        found.append(Relocate())
    if settings.trim.enabled:
        found.append(trim_lever(settings.trim))
    if settings.carry.enabled:
        found.append(carry_lever(settings.carry, account))
    if settings.context.enabled:
        found += context_levers(settings.context)
    if settings.output.enabled:
        found.append(output_lever(settings.output))
    return found
