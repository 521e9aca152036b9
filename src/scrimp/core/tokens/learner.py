"""What bills teach about token estimates: inside a run, the next prompt is nearly exact.

Two things are learned. A bill says how long that very prompt was, so a prompt that extends it only needs its
new blocks estimated. And what the new blocks turned out to cost corrects the estimates of such content: one
ratio per model and kind of content, followed by a small Kalman filter whose innovations are clipped, so that
one odd bill moves little and a drift is followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, sqrt

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.wire.request import Block

__all__ = ["KINDS", "Learner", "Ratios"]

KINDS = ("tools", "system", "user", "assistant", "results")
"""Kinds of content that have a ratio of their own."""

_PRIOR_DEVIATION = 0.05
_DRIFT = 0.002
_MOST_UNSURE, _DRIFTED = _PRIOR_DEVIATION**2, _DRIFT**2
"""Variances: of a ratio beforehand, and what one bill adds."""
_FIRST_NOISE, _LEAST_NOISE, _MOST_NOISE = 0.05, 0.005, 0.25
_NOISE_MEMORY = 0.9
_EXACT_TOKENS = 5.0
_CLIPPED_AT = 2.5
_UNSETTLED = 3.0
"""What a clipped surprise multiplies the variances by: a second one alike then moves the ratio at once."""
_COVERING = 3.0
"""Standard deviations on each side of a learned interval."""
_LEAST_RATIO, _MOST_RATIO = 0.5, 2.0
_PROMPTS_REMEMBERED, _MODELS_REMEMBERED = 8_192, 1_000


class Ratios(msgspec.Struct, frozen=True):
    """Billed over estimated tokens per kind, how unsure each is, and how much single bills scatter.

    `variances` are of the ratios, `noise` is a share of the new content, `bills` is how many taught this.
    """

    ratios: tuple[float, ...] = (1.0,) * len(KINDS)
    variances: tuple[float, ...] = (_MOST_UNSURE,) * len(KINDS)
    noise: float = _FIRST_NOISE
    bills: int = 0

    @property
    def sound(self) -> bool:
        """Whether bills can have taught this."""
        return (
            len(self.ratios) == len(self.variances) == len(KINDS)
            and all(_LEAST_RATIO <= ratio <= _MOST_RATIO for ratio in self.ratios)
            and all(0.0 < variance <= _MOST_UNSURE for variance in self.variances)
            and _LEAST_NOISE <= self.noise <= _MOST_NOISE
            and self.bills >= 0
        )


class Learner:
    """Learned ratios of every model, and the lengths of the prompts billed last."""

    def __init__(self, learned: Mapping[str, Ratios] | None = None) -> None:
        self._ratios: dict[str, Ratios] = dict(learned or {})
        self._billed: dict[bytes, int] = {}

    @property
    def learned(self) -> Mapping[str, Ratios]:
        """What to keep for the next process, by model."""
        return dict(self._ratios)

    def foresee(
        self, model: str, blocks: Sequence[Block], prefixes: Sequence[bytes], sized: Sized
    ) -> Estimate:
        """Tokens of a prompt before its bill. `prefixes` are the chained digests of its blocks."""
        state = self._ratios.get(model)
        start, billed = self._longest(prefixes)
        if state is None and not billed:
            return sized.estimate
        if start == len(blocks):  # this very prompt was billed
            exact = int(_EXACT_TOKENS)
            return Estimate(max(1, billed - exact), max(1, billed), billed + exact)
        state = state or Ratios()
        expected, variance, _ = _expected(state, _amounts(blocks, sized.content, start))
        middle = billed + _around(sized, start)
        middle += expected
        half = _EXACT_TOKENS + _COVERING * sqrt(variance)
        learned = Estimate(max(1, floor(middle - half)), max(1, round(middle)), ceil(middle + half))
        return learned if billed else _narrower(learned, sized.estimate, middle)

    def learn(
        self,
        model: str,
        blocks: Sequence[Block],
        prefixes: Sequence[bytes],
        sized: Sized,
        total: int,
    ) -> None:
        """Take a bill of `total` input tokens (plain, written and read) for this prompt."""
        if not prefixes or total <= 0:
            return
        start, billed = self._longest(prefixes)
        if start < len(blocks):
            added = total - billed - _around(sized, start)
            amounts = _amounts(blocks, sized.content, start)
            before = self._ratios.get(model)
            self._ratios[model] = _updated(before or Ratios(), amounts, added)
            if before is None:
                forget_oldest(self._ratios, _MODELS_REMEMBERED)
        self.note(prefixes, total)

    def note(self, prefixes: Sequence[bytes], total: int) -> None:
        """Remember how long this very prompt was, and learn nothing else from its bill."""
        if not prefixes or total <= 0:
            return
        table, last = self._billed, prefixes[-1]
        table.pop(last, None)
        table[last] = total
        forget_oldest(table, _PROMPTS_REMEMBERED)

    def _longest(self, prefixes: Sequence[bytes]) -> tuple[int, int]:
        """How many leading blocks were billed as a whole prompt before, and for how many tokens."""
        position = len(prefixes)
        for billed in map(self._billed.get, reversed(prefixes)):
            if billed is not None:
                return position, billed
            position -= 1
        return 0, 0


_CLOSING = 3.0
"""What closes every prompt: billed with each, but once."""


def _around(sized: Sized, start: int) -> float:
    """What surrounds the blocks from `start` on; what closes the prompt was in the bill of those before."""
    around = sized.around[start:]
    return sum(around) - (_CLOSING if around and start else 0.0)


def _amounts(blocks: Sequence[Block], content: Sequence[float], start: int) -> list[float]:
    """Tokens of each of `KINDS` in the blocks from `start` on."""
    tools = system = user = assistant = results = 0.0
    for block, tokens in zip(blocks[start:], content[start:], strict=True):
        if block.section == "messages":
            if block.role == "assistant":
                assistant += tokens
            elif block.depth or block.kind == "tool_result":
                results += tokens
            else:
                user += tokens
        elif block.section == "tools":
            tools += tokens
        else:
            system += tokens
    return [tools, system, user, assistant, results]


def _expected(state: Ratios, amounts: Sequence[float]) -> tuple[float, float, float]:
    """The tokens these amounts will be billed, their variance, and what the amounts are together."""
    expected = unsure = whole = 0.0
    for amount, ratio, share in zip(amounts, state.ratios, state.variances):  # noqa: B905 - it takes as long again
        if amount:  # of most kinds a step brings none
            expected += amount * ratio
            unsure += amount * amount * share
            whole += amount
    return expected, unsure + (state.noise * whole) ** 2, whole


def _updated(state: Ratios, amounts: Sequence[float], added: float) -> Ratios:
    expected, variance, new = _expected(state, amounts)
    if new <= 0:
        return state
    variance += _EXACT_TOKENS**2
    limit = _CLIPPED_AT * sqrt(variance)
    surprise = _within(-limit, added - expected, limit)
    unsettled = _UNSETTLED if abs(added - expected) > limit else 1.0
    ratios, variances = [*state.ratios], []
    for kind, share in enumerate(state.variances):
        amount, left = amounts[kind], share
        if amount:
            gain = amount * share / variance
            ratios[kind] = _within(_LEAST_RATIO, ratios[kind] + gain * surprise, _MOST_RATIO)
            left *= 1 - gain * amount
        left = left * unsettled + _DRIFTED
        variances.append(left if left < _MOST_UNSURE else _MOST_UNSURE)
    scatter = max(0.0, abs(surprise) - _EXACT_TOKENS) / new
    noise = sqrt(_NOISE_MEMORY * state.noise**2 + (1 - _NOISE_MEMORY) * scatter**2)
    noise = _within(_LEAST_NOISE, noise, _MOST_NOISE)
    return Ratios(tuple(ratios), tuple(variances), noise, state.bills + 1)


def _within(least: float, value: float, most: float) -> float:
    """The value, no less and no more than that: `min` and `max` take several times as long."""
    if value < least:
        return least
    return most if value > most else value


def _narrower(learned: Estimate, fresh: Estimate, middle: float) -> Estimate:
    """The learned interval for a prompt never billed, no wider than the estimator's own around the middle."""
    below = max(middle - learned.low, 0.5 * (fresh.mid - fresh.low))
    above = max(learned.high - middle, 0.5 * (fresh.high - fresh.mid))
    below, above = min(below, fresh.mid - fresh.low), min(above, fresh.high - fresh.mid)
    return Estimate(max(1, floor(middle - below)), learned.mid, ceil(middle + above))
