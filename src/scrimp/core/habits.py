"""Patterns of use known before anything was learned, and how likely each is for a kind of prompt.

Shares of waits per bin of `gaps.EDGES`. Loops: 20,000 consecutive calls of recorded coding agents (median gap
7 s, 97 in 100 within five minutes, main agents 36 calls long, sub-agents 11). Single questions: of 1,167
recorded prompts without tools 71 were taken up, with tools more than four in ten.
"""

from __future__ import annotations

from typing import Literal

from scrimp.core.gaps import Pattern, pattern
from scrimp.core.prompt import Prompt

__all__ = [
    "BRANCHING",
    "BRANCHING_WEIGHTS",
    "CONTINUING",
    "SHARING",
    "SHARING_WEIGHTS",
    "Shape",
    "continuing_weights",
    "shape_of",
]

CONTINUING: tuple[Pattern, ...] = (
    pattern("loop", 0.06, 0.38, 0.35, 0.10, 0.04, 0.02, 0.008, 0.005, 0.003, 0.002, 0.002, 0.001),
    pattern("person", 0.001, 0.01, 0.05, 0.13, 0.19, 0.18, 0.10, 0.06, 0.04, 0.02, 0.02, 0.01),
    pattern("now and then", 0.001, 0.001, 0.005, 0.01, 0.02, 0.05, 0.10, 0.22, 0.24, 0.10, 0.08, 0.03),
    pattern("once", 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.002, 0.002, 0.002, 0.001, 0.001, 0.001),
)
"""How conversations go on."""

SHARING: tuple[Pattern, ...] = (
    pattern("crowd", 0.25, 0.15, 0.20, 0.15, 0.10, 0.08, 0.03, 0.01, 0.005, 0.002, 0.002, 0.001),
    pattern("steady", 0.02, 0.02, 0.05, 0.10, 0.18, 0.25, 0.14, 0.10, 0.05, 0.02, 0.02, 0.01),
    pattern("now and then", 0.001, 0.002, 0.01, 0.02, 0.03, 0.08, 0.12, 0.20, 0.20, 0.10, 0.10, 0.05),
    pattern("rarely", 0.001, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.05, 0.40, 0.25),
    pattern("never", 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.002, 0.002, 0.002, 0.001, 0.001, 0.001),
)
"""How soon another conversation begins with the same tools and system."""

BRANCHING: tuple[Pattern, ...] = (
    pattern("crowd", 0.22, 0.13, 0.17, 0.13, 0.09, 0.06, 0.015, 0.01, 0.005, 0.003, 0.003, 0.002),
    pattern("steady", 0.02, 0.02, 0.05, 0.09, 0.16, 0.20, 0.08, 0.05, 0.03, 0.015, 0.02, 0.01),
    pattern("now and then", 0.001, 0.002, 0.01, 0.02, 0.03, 0.06, 0.08, 0.12, 0.12, 0.06, 0.08, 0.04),
    pattern("never", 0.004, 0.004, 0.004, 0.004, 0.004, 0.004, 0.002, 0.002, 0.002, 0.001, 0.001, 0.001),
)
"""How soon another conversation begins with the same messages: a document is asked about, then no more."""

SHARING_WEIGHTS = (0.20, 0.15, 0.10, 0.15, 0.40)
BRANCHING_WEIGHTS = (0.35, 0.20, 0.15, 0.30)

Shape = Literal["agent", "system", "bare"]
"""What a prompt looks like: with tools or cached messages, with a system prompt alone, or with nothing."""

_FIRST: dict[Shape, tuple[float, ...]] = {
    "agent": (0.72, 0.10, 0.03, 0.15),
    "system": (0.10, 0.30, 0.02, 0.58),
    "bare": (0.05, 0.07, 0.01, 0.87),
}
_LATER: dict[Shape, tuple[float, ...]] = {
    "agent": (0.82, 0.10, 0.03, 0.05),
    "system": (0.10, 0.60, 0.05, 0.25),
    "bare": (0.10, 0.55, 0.05, 0.30),
}


def shape_of(prompt: Prompt) -> Shape:
    """What `prompt` looks like. A caller who marks messages expects them to be sent again."""
    if prompt.blocks and prompt.blocks[0].section == "tools":
        return "agent"
    if any(marker.position > prompt.static_end for marker in prompt.markers):
        return "agent"
    return "system" if prompt.static_end >= 0 else "bare"


def continuing_weights(prompt: Prompt) -> tuple[float, ...]:
    """How likely each pattern of `CONTINUING` is for a prompt like this."""
    later = bool(prompt.blocks) and prompt.blocks[-1].message > 0
    return (_LATER if later else _FIRST)[shape_of(prompt)]
