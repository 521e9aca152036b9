"""What several answers were billed, as the usage of one.

Counts add up, as they do where the provider itself samples several times for one answer, and each round is an
iteration ("Usage", `iterations`): clients such as Claude Code take the length of the prompt from the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["summed"]

_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_PARTS = ("cache_creation", "server_tool_use", "output_tokens_details")


def summed(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One usage for all of them; of a single one itself. What is no count is as the first says."""
    if len(usages) == 1:
        return dict(usages[0])
    found: dict[str, Any] = {}
    for usage in usages:
        for name, value in usage.items():
            if found.get(name) is None:
                found[name] = value
    for name in _COUNTS:
        if name in found:
            found[name] = _sum([usage.get(name) for usage in usages])
    for name in _PARTS:
        parts = [part for usage in usages if isinstance(part := usage.get(name), Mapping)]
        if parts:
            names = dict.fromkeys(key for part in parts for key in part)
            found[name] = {key: _sum([part.get(key) for part in parts]) for key in names}
    if found:
        found["iterations"] = [one for usage in usages for one in _iterations(usage)]
    return found


def _iterations(usage: Mapping[str, Any]) -> Sequence[Any]:
    listed = usage.get("iterations")
    if isinstance(listed, list) and listed:
        return listed
    one = {"type": "message", **{name: usage.get(name) or 0 for name in _COUNTS}}
    return [{**one, "cache_creation": usage["cache_creation"]} if usage.get("cache_creation") else one]


def _sum(values: Sequence[Any]) -> int | None:
    counts = [value for value in values if type(value) is int]
    return sum(counts) if counts else None
