"""How much of its window a conversation through the gateway may fill: `[context]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from scrimp.core.context_budget import ContextBudget
from scrimp.gateway.settings_fields import says

__all__ = ["ContextSettings", "context_levers"]


class ContextSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[context]`: long conversations are compacted, and beyond a ceiling refused.

    At most 1 is a share of the model's window, above it tokens.
    """

    enabled: Annotated[bool, says("true: both thresholds hold")] = False
    soft: Annotated[float, Meta(ge=0), says("compacted beyond it, for keys in mode save; 0: no")] = 0.7
    hard: Annotated[float, Meta(ge=0), says("refused beyond it, unless a key observes; 0: no")] = 0.95
    keep: Annotated[float, Meta(ge=0, lt=1), says("what a compaction leaves, of the soft threshold")] = 0.4
    keep_turns: Annotated[int, Meta(ge=0), says("last answers that always stay")] = 3

    def __post_init__(self) -> None:
        soft, hard = self.soft, self.hard
        if soft and hard and (soft <= 1) == (hard <= 1) and soft > hard:
            raise ValueError(f"soft ({soft:g}) should be below hard ({hard:g})")


def context_levers(settings: ContextSettings) -> list[ContextBudget]:
    """One lever for each threshold: the ceiling also holds where nothing may be compacted."""
    found = []
    if settings.soft:
        found.append(
            ContextBudget(soft=settings.soft, hard=None, keep=settings.keep, keep_turns=settings.keep_turns)
        )
    if settings.hard:
        found.append(ContextBudget(soft=None, hard=settings.hard))
    return found
