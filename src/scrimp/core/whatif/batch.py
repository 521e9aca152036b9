"""Calls sent through the Message Batches API: half the price of every token, and a cache that is best effort.

Which calls can wait for a batch only the caller knows; a step that another one waits for cannot. A batch
takes up to 24 hours and its items run in any order, so whether an item finds what another has written is a
matter of luck: the batch page cites cache hit rates of 30 % to 98 %. A figure is shown at the lower rate, and
how much less it would be at the higher one beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from scrimp.core.reproduce import HitOdds, Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.chosen import EVERY, Chosen

__all__ = ["BEST_EFFORT", "Batch"]

BEST_EFFORT = HitOdds(Fraction(30, 100), Fraction(98, 100))
"""Cache hit rates inside batches ("Batch processing", using prompt caching with batches)."""


class Batch:
    """The chosen calls in batches."""

    def __init__(self, chosen: Chosen = EVERY, odds: HitOdds = BEST_EFFORT) -> None:
        self._chosen = chosen
        self._odds = odds

    @property
    def name(self) -> str:
        rate = f"={float(self._odds.least):.0%}" if self._odds.least == self._odds.most else ""
        return f"batch{rate}" if self._chosen.everything else f"batch{rate}@{self._chosen.who}"

    def describe(self) -> str:
        least, most = float(self._odds.least), float(self._odds.most)
        rate = f"{least:.0%}" if least == most else f"{least:.0%} to {most:.0%}"
        return f"{self._chosen} in batches: half price, the cache hit for {rate} of what it could give"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        taken = [self._chosen.takes(one.call) for one in calls]
        found = [self._batched(one) if is_taken else one for one, is_taken in zip(calls, taken, strict=True)]
        notes = [
            "that these calls could wait up to 24 hours is your claim; steps that wait for one another cannot"
        ]
        if self._odds.least != self._odds.most:
            notes.append(
                f"the bill is at {float(self._odds.least):.0%} of the cache hits; give yours as batch=80%"
            )
        return Changed(found, (0,) * len(found), touched=sum(taken), notes=tuple(notes))

    def _batched(self, one: Measured) -> Measured:
        call = one.call
        total = call.usage.total_input
        rates = call.model.rates(call.day, prompt_tokens=total, batch=True)
        return msgspec.structs.replace(one, rates=rates, odds=self._odds)
