"""What the provider publishes about its models: prices, limits, features and dated rules, with sources."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrimp.facts.model import Features, ImageRule, Model, ToolPrompt
    from scrimp.facts.models import Facts, default, load, resolve
    from scrimp.facts.prices import PICODOLLARS, PriceRow, Rates, Tier
    from scrimp.facts.rules import Dated, Rule, Rules

__all__ = [
    "PICODOLLARS",
    "Dated",
    "Facts",
    "Features",
    "ImageRule",
    "Model",
    "PriceRow",
    "Rates",
    "Rule",
    "Rules",
    "Tier",
    "ToolPrompt",
    "default",
    "load",
    "resolve",
]

_HOMES = {
    "model": ("Features", "ImageRule", "Model", "ToolPrompt"),
    "models": ("Facts", "default", "load", "resolve"),
    "prices": ("PICODOLLARS", "PriceRow", "Rates", "Tier"),
    "rules": ("Dated", "Rule", "Rules"),
}
"""Module → its names, imported when one is first used: who writes amounts needs no price list."""


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
