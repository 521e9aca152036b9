"""scrimp: the cost controller for Claude agents."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrimp.alerting import Alerts
    from scrimp.caching_tools import cached_tool
    from scrimp.compacting import Compacted, compact
    from scrimp.core.context_budget import ContextBudget
    from scrimp.core.layers import Layers
    from scrimp.core.loop_guard import LoopGuard
    from scrimp.core.output import Output
    from scrimp.core.passes.carry import Carry
    from scrimp.core.passes.relocating import Relocate
    from scrimp.core.passes.trim import Trim
    from scrimp.core.volatile import find_volatile
    from scrimp.diagnosing import diagnose
    from scrimp.errors import BudgetExceeded, LoopStopped
    from scrimp.fanning import fanout
    from scrimp.fetch_tools import async_fetch_tool, fetch_tool
    from scrimp.middleware import Middleware
    from scrimp.offloading import Offload
    from scrimp.pricing import cost
    from scrimp.runs import run
    from scrimp.shortening import fetch, offload
    from scrimp.stopping import until, until_json
    from scrimp.summarizing import SummaryWriter, summarize
    from scrimp.telemetry import Telemetry
    from scrimp.trimming import trim
    from scrimp.warming import Warmer, warm

__version__ = "0.1.0"

__all__ = [
    "Alerts",
    "BudgetExceeded",
    "Carry",
    "Compacted",
    "ContextBudget",
    "Layers",
    "LoopGuard",
    "LoopStopped",
    "Middleware",
    "Offload",
    "Output",
    "Relocate",
    "SummaryWriter",
    "Telemetry",
    "Trim",
    "Warmer",
    "__version__",
    "async_fetch_tool",
    "cached_tool",
    "compact",
    "cost",
    "diagnose",
    "fanout",
    "fetch",
    "fetch_tool",
    "find_volatile",
    "offload",
    "run",
    "summarize",
    "trim",
    "until",
    "until_json",
    "warm",
]

_HOMES = {
    "Alerts": "scrimp.alerting",
    "BudgetExceeded": "scrimp.errors",
    "Carry": "scrimp.core.passes.carry",
    "Compacted": "scrimp.compacting",
    "ContextBudget": "scrimp.core.context_budget",
    "Layers": "scrimp.core.layers",
    "LoopGuard": "scrimp.core.loop_guard",
    "LoopStopped": "scrimp.errors",
    "Middleware": "scrimp.middleware",
    "Offload": "scrimp.offloading",
    "Output": "scrimp.core.output",
    "Relocate": "scrimp.core.passes.relocating",
    "SummaryWriter": "scrimp.summarizing",
    "Telemetry": "scrimp.telemetry",
    "Trim": "scrimp.core.passes.trim",
    "Warmer": "scrimp.warming",
    "async_fetch_tool": "scrimp.fetch_tools",
    "cached_tool": "scrimp.caching_tools",
    "compact": "scrimp.compacting",
    "cost": "scrimp.pricing",
    "diagnose": "scrimp.diagnosing",
    "fanout": "scrimp.fanning",
    "fetch": "scrimp.shortening",
    "fetch_tool": "scrimp.fetch_tools",
    "find_volatile": "scrimp.core.volatile",
    "offload": "scrimp.shortening",
    "run": "scrimp.runs",
    "summarize": "scrimp.summarizing",
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
