"""What tool results cost over their whole life: written once, then read, or paid in full, in every prompt."""

from __future__ import annotations

from collections import defaultdict
from heapq import nlargest

from scrimp.core.audit.model import Paid, Results, ToolCost, ToolResultCost
from scrimp.core.audit.tax import by_segment
from scrimp.core.audit.walk import Asked, Result, Walked, billed_rates, bounds_of
from scrimp.core.audit.weighed import Evidences, Weighed

__all__ = ["ResultSums"]

_SHOWN = 25
_LINE = 20
"""Tokens of a line that says that nothing changed."""
_LARGE, _EXCERPT = 8_000, 2_000
"""Tokens of a result from which on it is large, and of the excerpt that would stand for it."""
_SEGMENTS = 4


class _Life:
    """One tool result: its length where it was first sent, and what was billed for it since."""

    __slots__ = ("amount", "asked", "calls", "repeats", "run", "split", "tokens", "where")

    def __init__(self, asked: Asked, where: str, run: str, tokens: int, *, repeats: bool) -> None:
        self.asked = asked
        self.where = where
        self.run = run
        self.tokens = tokens
        self.repeats = repeats
        self.calls = 0
        self.amount = 0
        self.split = [0] * _SEGMENTS

    def paid(self) -> Paid:
        read, hour, five, plain = self.split
        return Paid(plain, five, hour, read, self.amount)


class _Tool:
    def __init__(self) -> None:
        self.results = 0
        self.tokens = 0
        self.resent = 0
        self.paid = Paid()

    def add(self, life: _Life) -> None:
        self.results += 1
        self.tokens += life.tokens
        self.resent += life.calls - 1
        self.paid += life.paid()


class ResultSums:
    """Adds up tool results of calls as they are walked, source by source."""

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = defaultdict(_Tool)
        self._lives: dict[tuple[str, object], _Life] = {}
        self._dearest: list[_Life] = []
        self._said: set[tuple[str, str, bytes, bytes]] = set()
        self._repeated = _Tool()
        self._repeats = Evidences()
        self._large, self._large_spared = _Tool(), 0
        self._larges = Evidences()
        self._calls = 0

    def add(self, walked: Walked) -> None:
        """Take one call of the source being walked."""
        self._calls += 1
        call, ends = walked.call, walked.measured.ends
        bounds, rates = bounds_of(call), by_segment(billed_rates(call))
        read = bounds[0]
        for result in walked.results:
            start = ends[result.first - 1] if result.first else 0
            end = ends[result.last]
            life = self._lives.get((call.run, result.key))
            if life is None:
                repeats = self._was_said(call.run, result)
                life = _Life(result.asked, call.where, call.run, end - start, repeats=repeats)
                self._lives[call.run, result.key] = life
            life.calls += 1
            if end <= read:
                life.split[0] += end - start
                life.amount += (end - start) * rates[0]
                continue
            for segment, bound in enumerate(bounds):
                if start < min(end, bound):
                    tokens = min(end, bound) - start
                    life.split[segment] += tokens
                    life.amount += tokens * rates[segment]
                    start += tokens

    def end_source(self) -> None:
        """The source is over: its results become part of the sums, and only the dearest are kept."""
        for life in self._lives.values():
            self._tools[life.asked.tool].add(life)
            named = f"{life.asked.tool}: {life.asked.text}".rstrip(": ")
            if life.repeats:
                self._repeated.add(life)
                self._repeats.add(life.where, f"again {named}", life.amount)
            if life.tokens > _LARGE:
                self._large.add(life)
                spared = life.amount * (life.tokens - _EXCERPT) // life.tokens
                self._large_spared += spared
                self._larges.add(life.where, f"{named}, {life.tokens:,} tokens", spared)
        self._dearest = nlargest(
            _SHOWN, [*self._dearest, *self._lives.values()], key=lambda life: life.amount
        )
        self._lives, self._said = {}, set()

    def repeated(self) -> Weighed:
        """What a cache of tool results would have spared: every repeat, but for a line that says so."""
        found = self._repeated
        left = min(_LINE * found.results, found.tokens)
        spared = found.paid.amount * (found.tokens - left) // max(found.tokens, 1)
        return Weighed(
            lever="tool-cache",
            low=spared // 2,
            mid=spared,
            high=found.paid.amount,
            cases=found.results,
            says=f"{found.results:,} results repeated one of the same run, {found.tokens:,} tokens",
            evidence=self._repeats.result(),
        )

    def offloaded(self) -> Weighed:
        """What excerpts in place of large results would have spared, half of them fetched again in full."""
        tokens, spared = self._large.tokens, self._large_spared
        return Weighed(
            lever="offload",
            low=spared // 4,
            mid=spared // 2,
            high=spared,
            cases=self._large.results,
            says=f"{self._large.results:,} results of more than {_LARGE:,} tokens, {tokens:,} in all, "
            f"were sent again {self._large.resent:,} times",
            evidence=self._larges.result(),
        )

    def _was_said(self, run: str, result: Result) -> bool:
        """Whether the same tool gave the run the same answer to the same question before."""
        if result.asked.key is None or result.said is None:
            return False
        whole = (run, result.asked.tool, result.asked.key, result.said)
        known = whole in self._said
        self._said.add(whole)
        return known

    def result(self, input_billed: int) -> Results | None:
        """The section; `input_billed` is all input that was billed. None where no call was taken."""
        if not self._calls:
            return None
        tools = sorted(
            (
                ToolCost(name, tool.results, tool.tokens, tool.resent, tool.paid)
                for name, tool in self._tools.items()
            ),
            key=lambda tool: (-tool.paid.amount, tool.tool),
        )
        return Results(
            tools=tuple(tools),
            dearest=tuple(map(_shown, self._dearest)),
            paid=sum((tool.paid for tool in tools), Paid()),
            input_amount=input_billed,
        )


def _shown(life: _Life) -> ToolResultCost:
    return ToolResultCost(
        tool=life.asked.tool,
        where=life.where,
        run=life.run,
        tokens=life.tokens,
        calls=life.calls,
        paid=life.paid(),
        asked=life.asked.text,
    )
