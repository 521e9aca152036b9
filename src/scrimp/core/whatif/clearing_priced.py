"""Clearing and compaction when they pay, by prices, the state of the cache and the learned horizon.

What the live lever does (`core.carry.worth`), with a conversation as recorded: at each call it clears the
oldest results, sums all up, or waits. Nobody knows beforehand what will be missed; that is learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.carry.worth import Clearing, Compaction, Summary, choose_clearing, choose_compaction
from scrimp.core.carry.worth_account import RISK
from scrimp.core.carry.worth_lasting import Lasting
from scrimp.core.carry.worth_missed import Misses, Out
from scrimp.core.carry.worth_strangers import Strangers, was_cached
from scrimp.core.horizon import Horizon
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.clearing import ASSUMED
from scrimp.core.whatif.clearing_moments import (
    Left,
    goes_of,
    learn,
    moment_of,
    outs_of,
    results_of,
)
from scrimp.core.whatif.clearing_threads import Waited
from scrimp.core.whatif.clearing_walk import Decision, Turn, carried, clears, lifetime_of, static_tokens
from scrimp.core.whatif.compacting import SUMMARY, can_sum_up, summary_note, summed_up

__all__ = ["CarryPriced", "ClearPriced", "CompactPriced", "Foresight"]


class ClearPriced(msgspec.Struct, frozen=True):
    """`clear_tool_uses_20250919` with the thresholds that pay at each call.

    `keep` newest results always stay. `risk` is the share of its own cost that a conversation may lose by it,
    whenever it ends.
    """

    keep: int = 3
    exclude_tools: frozenset[str] = frozenset()
    risk: float = RISK

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "clear-priced"

    def describe(self) -> str:
        """In one line."""
        return f"clear tool results but the last {self.keep} when it pays, by prices, cache and horizon"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with their results cleared."""
        return carried(calls, _Deciding(self.risk, self), clears, notes=(ASSUMED,), announced=True)


class CompactPriced(msgspec.Struct, frozen=True):
    """Compaction when it pays, by prices, the state of the cache and the learned horizon."""

    summary: int = SUMMARY
    risk: float = RISK

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "compact-priced"

    def describe(self) -> str:
        """In one line."""
        return f"compact into a summary of {self.summary:,} tokens when it pays"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with their conversations compacted."""
        rule = _Deciding(self.risk, summary=self.summary)
        return carried(calls, rule, can_sum_up, notes=(summary_note(self.summary),), announced=True)


class CarryPriced(msgspec.Struct, frozen=True):
    """Clearing or compaction, whichever saves more when it pays."""

    keep: int = 3
    exclude_tools: frozenset[str] = frozenset()
    summary: int = SUMMARY
    risk: float = RISK

    @property
    def name(self) -> str:
        """As `--what-if` takes it."""
        return "carry"

    def describe(self) -> str:
        """In one line."""
        return f"when it pays, clear all but {self.keep} results or compact into {self.summary:,} tokens"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls with less to carry."""
        clearing = ClearPriced(self.keep, self.exclude_tools)
        rule = _Deciding(self.risk, clearing, self.summary)
        return carried(calls, rule, clears, notes=(ASSUMED, summary_note(self.summary)), announced=True)


class Foresight:
    """The learned future of the conversations of one source."""

    def __init__(self) -> None:
        self._horizon = Horizon()
        self._lasting = Lasting()

    def calls_to_come(self, turn: Turn) -> float:
        """Calls expected after this one while the cache lives. Ask once of each call."""
        call, lifetime = turn.measured.call, lifetime_of(turn.measured.call)
        self._horizon.observe(call.prompt, call.at, call.label)
        done = self._lasting.observe(
            call.prompt.prefixes[-1], turn.thread.name, call.at, lifetime, call.label
        )
        event = self._horizon.events(call.prompt, call.label)[0]
        return self._lasting.calls_to_come(done, event, call.label, for_1h=lifetime > TTL_SECONDS["5m"])


class _Deciding:
    """The lever with what it has learned of one source: it clears, sums up, or does whichever saves more."""

    def __init__(self, risk: float, clearing: ClearPriced | None = None, summary: int | None = None) -> None:
        self._risk = risk
        self._clearing = clearing
        self._summary = summary
        self._foresight = Foresight()
        self._misses = Misses()
        self._strangers = Strangers()

    def decide(self, turn: Turn) -> Decision:
        calls = 1.0 + self._foresight.calls_to_come(turn)
        outs = outs_of(turn)
        learn(turn, outs, self._misses)
        if self._may_be_cached(turn):
            return Decision(turn.thread.cut)
        clearing, results, to_clear = self._to_clear(turn, calls, outs)
        compaction, to_sum_up = self._to_sum_up(turn, calls, outs)
        if clearing is not None and not clearing.acts:
            clearing = None
        if (
            compaction is not None
            and compaction.acts
            and (clearing is None or compaction.saves > clearing.saves)
        ):
            return Decision(summed_up(turn, self._summary or SUMMARY), compaction.cost)
        if clearing is not None:
            left: Left = {}
            for one in results[: clearing.count]:
                left.update(one)
            return Decision(turn.thread.cut.with_more(left))
        return Decision(turn.thread.cut, waited=Waited(to_clear, to_sum_up))

    def _may_be_cached(self, turn: Turn) -> bool:
        """Whether this is a conversation met in the middle that the cache may hold."""
        measured, strangers = turn.measured, self._strangers
        strangers.looked(measured.call.at)
        if turn.thread.calls or not turn.pieces.uses:
            return False
        cached = strangers.may_be_cached(measured.call.at)
        if cached:
            left = measured.dealt.found if measured.dealt is not None else None
            read = measured.ends[left] if left is not None else 0
            found = was_cached(read, measured.call.usage.total_input, static_tokens(measured))
            strangers.met(found=found)
        return cached

    def _to_clear(
        self, turn: Turn, calls: float, outs: Sequence[Out]
    ) -> tuple[Clearing | None, list[Left], int]:
        """What could be cleared, what each result would leave, and what not doing so has cost."""
        waited = turn.thread.waited.to_clear
        lever = self._clearing
        found = results_of(turn, lever.keep, lever.exclude_tools) if lever is not None else []
        if not found:
            return None, [], waited
        results = [result for result, _ in found]
        waited += sum([result.tokens for result in results]) * turn.measured.rates.read
        moment = moment_of(turn, calls)
        chosen = choose_clearing(
            moment,
            results,
            misses=self._misses,
            account=turn.account,
            out=outs,
            waited=waited,
            risk=self._risk,
        )
        return chosen, [left for _, left in found], waited

    def _to_sum_up(self, turn: Turn, calls: float, outs: Sequence[Out]) -> tuple[Compaction | None, int]:
        """What summing up would do, and what not doing so has cost."""
        summary, static = self._summary, static_tokens(turn.measured)
        if summary is None or not can_sum_up(turn.measured.call):
            return None, 0
        removed = turn.total - static - summary
        waited = turn.thread.waited.to_sum_up + max(removed, 0) * turn.measured.rates.read
        moment = moment_of(turn, calls)
        made = Summary(summary, static, goes_of(turn, removed))
        chosen = choose_compaction(
            moment, made, misses=self._misses, account=turn.account, out=outs, waited=waited, risk=self._risk
        )
        return chosen, waited
