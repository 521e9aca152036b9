"""The levers of a gateway: new ones for every account, since they remember conversations."""

from __future__ import annotations

from scrimp.core.levers import Lever
from scrimp.core.passes.relocating import Relocate
from scrimp.gateway.settings import Settings

__all__ = ["levers_of"]


def levers_of(settings: Settings) -> list[Lever]:
    """The levers that are switched on, in the order in which they act."""
    found: list[Lever] = []
    if settings.relocate.enabled:
        found.append(Relocate())
    return found
