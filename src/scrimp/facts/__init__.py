"""What the provider publishes about its models: prices, limits, features and dated rules, with sources."""

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
