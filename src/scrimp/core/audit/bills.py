"""Levers that bills alone tell of: runs far beyond their peers, fees, the price of output."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction

from scrimp.core.audit.weighed import Evidences, Weighed
from scrimp.core.bill import Bill, bill
from scrimp.core.money import rounded
from scrimp.core.outliers import RULE, outliers
from scrimp.facts.model import Model
from scrimp.wire.response import Usage

__all__ = ["BillSums"]

_TENTH = 10


class BillSums:
    """Adds up bills call by call."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, int]] = defaultdict(dict)
        self._where: dict[tuple[str, str], str] = {}
        self._output = 0
        self._searches = self._fast = self._regional = 0
        self._fees = Evidences()

    def add(self, source: str, run: str, where: str, paid: Bill) -> None:
        """Take one call."""
        spent = self._runs[source]
        spent[run] = spent.get(run, 0) + paid.total
        self._where.setdefault((source, run), where)
        self._output += paid.amount("output")
        searches = paid.amount("web_search")
        if searches:
            self._searches += searches
            self._fees.add(where, f"{paid.quantity('web_search')} web searches", searches)

    def add_premium(self, where: str, usage: Usage, model: Model, day: date | None, paid: Bill) -> None:
        """Take what a call cost beyond standard speed and a global endpoint."""
        fast = usage.speed == "fast"
        if not fast and model.endpoint_factor == 1 and usage.inference_geo is None:
            return
        elsewhere = model.spelled(
            provider=model.provider,
            endpoint_factor=Fraction(1),
            long_context=model.long_context,
            fast_id=False,
        )
        usual = bill(usage, elsewhere, at=day, fast=False, geo="global")
        premium = max(paid.total - usual.total, 0)
        if fast:
            self._fast += premium
        else:
            self._regional += premium
        if premium:
            self._fees.add(where, "fast mode" if fast else "regional processing", premium)

    def weighed(self) -> list[Weighed]:
        """Caps on runs, fees, and what a tenth of the output costs."""
        return [self._runaway(), self._all_fees(), self._tenth()]

    def _runaway(self) -> Weighed:
        beyond = cases = cap = 0
        places = Evidences()
        for source, spent in self._runs.items():
            for found in outliers(spent):
                limit = max(int(found.typical * RULE.times), RULE.least)
                beyond += found.amount - limit
                cases += 1
                cap = max(cap, limit)
                note = f"{found.times:.0f} times what is typical of {found.peers} runs"
                places.add(self._where[source, found.name], note, found.amount - limit)
        dollars = rounded(cap, 2)
        return Weighed(
            lever="runaway",
            low=0,
            mid=beyond,
            high=beyond,
            cases=cases,
            says=f"{cases:,} runs are outliers among their peers; a cap of ${dollars} leaves the others be",
            setting=f"scrimp run --budget {dollars} -- claude" if cap else "",
            evidence=places.result(),
        )

    def _all_fees(self) -> Weighed:
        parts = {"web searches": self._searches, "fast mode": self._fast, "regional": self._regional}
        said = ", ".join(f"{name} ${rounded(amount, 2)}" for name, amount in parts.items() if amount)
        total = sum(parts.values())
        return Weighed(
            lever="fees",
            low=self._fast + self._regional,
            mid=total,
            high=total,
            cases=int(total > 0),
            says=f"beside tokens at standard rates: {said}" if said else "",
            evidence=self._fees.result(),
        )

    def _tenth(self) -> Weighed:
        tenth = self._output // _TENTH
        return Weighed(
            lever="effort",
            low=0,
            mid=tenth,
            high=tenth * 3,
            cases=int(self._output > 0),
            says=f"output was billed ${rounded(self._output, 2)}; a tenth of it is ${rounded(tenth, 2)}",
        )
