"""scrimp: the cost controller for Claude agents."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrimp.middleware import Middleware
    from scrimp.pricing import cost
    from scrimp.runs import run

__version__ = "0.1.0"

__all__ = ["Middleware", "__version__", "cost", "run"]

_HOMES = {"Middleware": "scrimp.middleware", "cost": "scrimp.pricing", "run": "scrimp.runs"}
"""Name → the module that defines it, imported when the name is first used: importing scrimp stays light."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scrimp' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
