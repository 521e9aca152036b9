"""Sums of calls, tokens and money. Exact: shares of runs are fractions, and a shown row is rounded once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from scrimp.core.cache import Outcome
from scrimp.facts.prices import Rates

__all__ = ["NOTHING", "Amounts", "amounts_of"]

_Count = int | Fraction


@dataclass(frozen=True, slots=True)
class Amounts:
    """Calls, tokens by how they are billed, and picodollars."""

    calls: _Count = 0
    plain: _Count = 0
    write_5m: _Count = 0
    write_1h: _Count = 0
    read: _Count = 0
    output: _Count = 0
    input_cost: _Count = 0
    output_cost: _Count = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(*(one + two for one, two in zip(self._each(), other._each(), strict=True)))

    def __mul__(self, times: _Count) -> Amounts:
        return Amounts(*(one * times for one in self._each()))

    def _each(self) -> tuple[_Count, ...]:
        return (
            self.calls,
            self.plain,
            self.write_5m,
            self.write_1h,
            self.read,
            self.output,
            self.input_cost,
            self.output_cost,
        )

    @property
    def prompt(self) -> int:
        """Input tokens of every kind."""
        return round(self.plain + self.write_5m + self.write_1h + self.read)

    @property
    def cost(self) -> int:
        """Picodollars, rounded once."""
        return round(self.input_cost + self.output_cost)

    @property
    def read_share(self) -> float:
        """The share of input tokens that are read from the cache."""
        return float(Fraction(self.read) / self.prompt) if self.prompt else 0.0


NOTHING = Amounts()


def amounts_of(outcome: Outcome, output: int, rates: Rates) -> Amounts:
    """One call."""
    return Amounts(
        calls=1,
        plain=outcome.plain,
        write_5m=outcome.write_5m,
        write_1h=outcome.write_1h,
        read=outcome.read,
        output=output,
        input_cost=outcome.plain * rates.input
        + outcome.write_5m * rates.write_5m
        + outcome.write_1h * rates.write_1h
        + outcome.read * rates.read,
        output_cost=output * rates.output,
    )
