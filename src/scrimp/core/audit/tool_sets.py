"""Tools that are defined in every request of a source and that no call ever uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.core.audit.tax import by_segment
from scrimp.core.audit.walk import Walked, billed_rates, bounds_of
from scrimp.core.audit.weighed import Evidences, Weighed

__all__ = ["ToolSetSums"]

_LEAST_CALLS = 20
_NAMED = 5


class _Tool:
    def __init__(self, where: str) -> None:
        self.where = where
        self.calls = 0
        self.tokens = 0
        self.amount = 0


class ToolSetSums:
    """Adds up tool definitions as calls are walked, source by source."""

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}
        self._used: set[str] = set()
        self._amount = self._cases = 0
        self._names: dict[str, int] = defaultdict(int)
        self._places = Evidences()

    def add(self, walked: Walked) -> None:
        """Take one call of the source being walked."""
        call, ends, blocks = walked.call, walked.measured.ends, walked.call.prompt.blocks
        for block in blocks[walked.same :]:
            if block.kind == "tool_use":
                self._used.add(_name(block.value))
        if not call.complete:
            return
        bounds, rates = bounds_of(call), by_segment(billed_rates(call))
        start = 0
        for position in range(call.prompt.tools_end + 1):
            end = ends[position]
            tool = self._tools.setdefault(_name(blocks[position].value), _Tool(call.where))
            tool.calls += 1
            tool.tokens = max(tool.tokens, end - start)
            tool.amount += _paid(start, end, bounds, rates)
            start = end

    def end_source(self) -> None:
        """The source is over: what it never used is known."""
        for name, tool in self._tools.items():
            if name and name not in self._used and tool.calls >= _LEAST_CALLS:
                self._cases += 1
                self._amount += tool.amount
                self._names[name] += tool.amount
                note = f"{name}: {tool.tokens:,} tokens in {tool.calls:,} requests"
                self._places.add(tool.where, note, tool.amount)
        self._tools, self._used = {}, set()

    def weighed(self) -> Weighed:
        """What leaving unused tools out would have saved."""
        dearest = sorted(self._names, key=lambda name: -self._names[name])[:_NAMED]
        return Weighed(
            lever="unused-tools",
            low=self._amount * 8 // 10,
            mid=self._amount,
            high=self._amount * 12 // 10,
            cases=self._cases,
            says=f"{self._cases:,} tools were never used: {', '.join(dearest)}" if dearest else "",
            setting=_without(dearest),
            evidence=self._places.result(),
        )


def _without(names: Sequence[str]) -> str:
    """Lines to copy that leave tools out, in Claude Code and in code."""
    if not names:
        return ""
    left_out = ", ".join(f'"{name}"' for name in names)
    told = " ".join(f'"{name}"' for name in names)
    code = f'tools = [one for one in tools if one["name"] not in {{{left_out}}}]'
    return f"claude --disallowedTools {told}\n{code}"


def _name(value: Any) -> str:
    return str(value.get("name") or "") if isinstance(value, Mapping) else ""


def _paid(start: int, end: int, bounds: tuple[int, ...], rates: tuple[int, ...]) -> int:
    amount = 0
    for bound, rate in zip(bounds, rates, strict=True):
        if start < min(end, bound):
            amount += (min(end, bound) - start) * rate
            start = min(end, bound)
    return amount
