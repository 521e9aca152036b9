"""scrimp: the cost controller for Claude agents."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrimp.alerting import Alerts
    from scrimp.caching_tools import cached_tool
    from scrimp.core.layers import Layers
    from scrimp.core.passes.relocating import Relocate
    from scrimp.core.volatile import find_volatile
    from scrimp.diagnosing import diagnose
    from scrimp.errors import BudgetExceeded
    from scrimp.fanning import fanout
    from scrimp.middleware import Middleware
    from scrimp.pricing import cost
    from scrimp.runs import run
    from scrimp.stopping import until, until_json
    from scrimp.telemetry import Telemetry
    from scrimp.trimming import trim
    from scrimp.warming import Warmer, warm

__version__ = "0.1.0"

__all__ = [
    "Alerts",
    "BudgetExceeded",
    "Layers",
    "Middleware",
    "Relocate",
    "Telemetry",
    "Warmer",
    "__version__",
    "cached_tool",
    "cost",
    "diagnose",
    "fanout",
    "find_volatile",
    "run",
    "trim",
    "until",
    "until_json",
    "warm",
]

_HOMES = {
    "Alerts": "scrimp.alerting",
    "BudgetExceeded": "scrimp.errors",
    "Layers": "scrimp.core.layers",
    "Middleware": "scrimp.middleware",
    "Relocate": "scrimp.core.passes.relocating",
    "Telemetry": "scrimp.telemetry",
    "Warmer": "scrimp.warming",
    "cached_tool": "scrimp.caching_tools",
    "cost": "scrimp.pricing",
    "diagnose": "scrimp.diagnosing",
    "fanout": "scrimp.fanning",
    "find_volatile": "scrimp.core.volatile",
    "run": "scrimp.runs",
    "trim": "scrimp.trimming",
    "until": "scrimp.stopping",
    "until_json": "scrimp.stopping",
    "warm": "scrimp.warming",
}
"""Name → the module that defines it, imported when the name is first used: importing scrimp stays light."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scrimp' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
