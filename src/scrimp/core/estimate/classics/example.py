"""The shape of a recomputed worked example: what was said, what follows from its inputs, what is true."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Literal

from scrimp.core import money
from scrimp.core.estimate.amounts import Amounts
from scrimp.core.estimate.estimate import expect
from scrimp.core.estimate.terms import Terms, published
from scrimp.core.estimate.workload import Workload
from scrimp.facts.models import Facts

__all__ = ["HAIKU", "OPUS", "SONNET", "Classic", "Figure", "Row", "Today", "Unit", "pair", "row", "spent"]

_NUMBER = re.compile(r"(?P<whole>\d[\d,]*)(?:\.(?P<places>\d+))?(?P<thousands>K)?")
_THOUSAND = 1_000

Unit = Literal["usd", "tokens", "units", "calls", "steps"]
"""What a figure counts; units are tokens at the full input price."""

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
"""The models of today that a told one is compared with."""


@dataclass(frozen=True, slots=True)
class Figure:
    """An exact figure: picodollars where the unit is usd."""

    value: Fraction
    unit: Unit

    @property
    def exact(self) -> str:
        """As a decimal, without exponent or needless zeros; twelve places at most."""
        scale = 1 if self.unit == "usd" else money.PICODOLLARS
        return money.usd(round(self.value * scale))


@dataclass(frozen=True, slots=True)
class Row:
    """One figure three times; `said` is empty where nothing is quoted, `why` is a sentence."""

    what: str
    said: str
    follows: Figure
    true: Figure
    why: str

    @property
    def unit(self) -> Unit:
        """What the figures count."""
        return self.follows.unit

    @property
    def holds(self) -> bool | None:
        """Whether what was said follows, to its own last digit; None where nothing was."""
        found = _NUMBER.search(self.said)
        if found is None:
            return None
        places = len(found["places"] or "")
        unit = Fraction(_THOUSAND if found["thousands"] else 1, 10**places)
        said = Fraction(found["whole"].replace(",", "") + (found["places"] or "")) * unit
        scale = money.PICODOLLARS if self.unit == "usd" else 1
        return abs(self.follows.value / scale - said) <= unit / 2


@dataclass(frozen=True, slots=True)
class Classic:
    """A worked example. `inputs` are as they are told, `assumed` is what is not told and had to be chosen."""

    name: str
    title: str
    inputs: str
    assumed: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Today:
    """Prices and rules of a day."""

    facts: Facts
    day: date

    def terms(self, model: str) -> Terms:
        """A model's own."""
        return published(self.facts, model, self.day)

    def prices(self, model: str) -> str:
        """What a million tokens of input and of output cost, in words."""
        rates = self.terms(model).live(0)
        return f"${_price(rates.input)} and ${_price(rates.output)}"

    def reads(self, model: str) -> str:
        """What a read costs as a share of plain input."""
        return f"{float(self.facts.resolve(model).read_multiplier(self.day)):g}"


def _price(rate: int) -> str:
    """Dollars per million tokens: whole, or to the cent at least."""
    whole, point, places = str(money.usd_per_million(rate)).partition(".")
    return f"{whole}{point}{places:0<2}" if point else whole


def row(
    what: str,
    figures: tuple[Fraction | int, Fraction | int],
    unit: Unit,
    why: str,
    *,
    said: str = "",
) -> Row:
    """A row of what follows and what is true."""
    follows, true = (Figure(Fraction(figure), unit) for figure in figures)
    return Row(what, said, follows, true, why)


def pair(found: Iterable[Fraction | int]) -> tuple[Fraction | int, Fraction | int]:
    """The two figures of a row: by the terms that were told, and by today's."""
    follows, true = found
    return follows, true


def spent(terms: Terms | Mapping[str, Terms], **workload: Any) -> Amounts:
    """What a day of a workload comes to; one model's terms stand for the whole of it."""
    each = {"the model": terms} if isinstance(terms, Terms) else terms
    models = workload.pop("models", {"the model": 100})
    return expect(Workload(models=models, **workload), each)
