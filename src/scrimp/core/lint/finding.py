"""What a rule finds, and the table of rules."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

__all__ = ["FIXES", "RULES", "Finding", "Rule", "found"]

Rule = Literal[
    "no-op-beta",
    "betas-on-stable",
    "clock-in-prefix",
    "unordered-prefix",
    "cached-subtracted",
    "blind-trim",
    "retired-model",
    "below-minimum",
    "too-many-markers",
    "ttl-order",
    "cold-fan-out",
    "text-after-compaction",
]

RULES: tuple[Rule, ...] = get_args(Rule)

FIXES: Mapping[Rule, str] = {
    "no-op-beta": "Leave the beta out: what it switched on is part of the API.",
    "betas-on-stable": "Leave `betas` out, or call `client.beta.messages` where a live beta is meant.",
    "clock-in-prefix": (
        "Put what changes behind the last marker: into the newest user message, or a `role: system` message "
        "at the end where the model takes one. A day is fine where a second is not needed."
    ),
    "unordered-prefix": "Fix the order: `json.dumps(…, sort_keys=True)`, `sorted(…)` around a set.",
    "cached-subtracted": (
        "`input_tokens` already leaves out what was read and written: the whole prompt is the sum of "
        "input_tokens, cache_creation_input_tokens and cache_read_input_tokens. `scrimp.cost(response)` does "
        "the sum in money."
    ),
    "blind-trim": (
        "Keep `tool_use` and `tool_result` together and cut whole turns, seldom and much at a time, or let "
        "the provider do it (`context_management`, compaction)."
    ),
    "retired-model": "Name a model that is served: `scrimp models`.",
    "below-minimum": "Take the marker away, or move it behind more of the prompt.",
    "too-many-markers": "Keep at most four: the ends of tools, of system, of what is shared, of it all.",
    "ttl-order": "Give the earlier blocks the longer lifetime.",
    "cold-fan-out": (
        "Send one, await its first event, then send the rest: `scrimp.fanout(client, requests)` does it."
    ),
    "text-after-compaction": (
        "Append `response.content` as it came: the compaction block stands for everything before it."
    ),
}
"""Rule → what to write instead."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """One cost bug. `line` and `column` count from 1; `says` is what is wrong, in one sentence."""

    line: int
    column: int
    rule: Rule
    says: str

    @property
    def fix(self) -> str:
        """What to write instead."""
        return FIXES[self.rule]


def found(rule: Rule, node: ast.AST, says: str) -> Finding:
    """A finding where `node`, an expression or a statement, begins."""
    return Finding(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, rule, says)
